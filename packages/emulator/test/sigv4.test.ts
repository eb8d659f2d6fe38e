import { expect, test } from 'vitest';
import { canonicalRequest, sha256Hex, signature, signingKey, uriEncode } from '../src/sigv4.js';

// Examples published by AWS; none of the expected values was computed here.

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const IAM = { date: '20150830', region: 'us-east-1', service: 'iam' };
const LIST_USERS = {
  method: 'GET',
  path: '/',
  query: [
    ['Version', '2010-05-08'],
    ['Action', 'ListUsers'],
  ],
  headers: [
    ['x-amz-date', '20150830T123600Z'],
    ['host', 'iam.amazonaws.com'],
    ['content-type', 'application/x-www-form-urlencoded; charset=utf-8'],
  ],
  payloadHash: sha256Hex(''),
} as const;

test('signing key of the IAM User Guide’s example', () => {
  expect(signingKey(SECRET, IAM).toString('hex')).toBe(
    'c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9',
  );
});

test('canonical request and signature of the ListUsers example', () => {
  expect(sha256Hex(canonicalRequest(LIST_USERS))).toBe(
    'f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59',
  );
  expect(signature(SECRET, '20150830T123600Z', IAM, LIST_USERS)).toBe(
    '5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
  );
});

test('query signature of the Amazon S3 API Reference’s presigned GET', () => {
  const scope = { date: '20130524', region: 'us-east-1', service: 's3' };
  expect(
    signature('wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', '20130524T000000Z', scope, {
      method: 'GET',
      path: '/test.txt',
      query: [
        ['X-Amz-SignedHeaders', 'host'],
        ['X-Amz-Algorithm', 'AWS4-HMAC-SHA256'],
        ['X-Amz-Credential', 'AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request'],
        ['X-Amz-Date', '20130524T000000Z'],
        ['X-Amz-Expires', '86400'],
      ],
      headers: [['host', 'examplebucket.s3.amazonaws.com']],
      payloadHash: 'UNSIGNED-PAYLOAD',
    }),
  ).toBe('aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
});

test('percent-encoding leaves only the unreserved characters of RFC 3986 alone', () => {
  expect(uriEncode("AZaz09-._~ !'()*/+%é😀")).toBe('AZaz09-._~%20%21%27%28%29%2A%2F%2B%25%C3%A9%F0%9F%98%80');
});
