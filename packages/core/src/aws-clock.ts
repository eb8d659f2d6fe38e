import { partitionOf } from './endpoint.js';

const DNS_SUFFIXES: Readonly<Record<string, string>> = {
  'aws-cn': 'amazonaws.com.cn',
  'aws-iso': 'c2s.ic.gov',
  'aws-iso-b': 'sc2s.sgov.gov',
  'aws-iso-e': 'cloud.adc-e.uk',
  'aws-iso-f': 'csp.hci.ic.gov',
  'aws-eusc': 'amazonaws.eu',
};

/**
 * AWS's clock minus ours in milliseconds, to the second, read from the `Date` header of an unsigned response from the Security
 * Token Service. Nothing else tells a token refused because of a wrong clock from any other. Undefined if AWS does not answer
 * within `timeoutMs`; never rejects. Only asked when a login is given up.
 */
export async function awsClockSkewMs(region: string, timeoutMs: number): Promise<number | undefined> {
  const url = process.env['AWS_ENDPOINT_URL_STS'] || process.env['AWS_ENDPOINT_URL'] || stsUrl(region);
  try {
    const { date } = await dateHeader(url, timeoutMs);
    const theirs = Date.parse(date ?? '');
    return Number.isNaN(theirs) ? undefined : theirs - Date.now();
  } catch {
    return undefined;
  }
}

/** Where a region's security token service is. */
export function stsUrl(region: string): string {
  return `https://sts.${region}.${DNS_SUFFIXES[partitionOf(region)] ?? 'amazonaws.com'}`;
}

async function dateHeader(url: string, timeoutMs: number): Promise<{ readonly date?: string | undefined }> {
  const { request } = url.startsWith('http:') ? await import('node:http') : await import('node:https');
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'HEAD', agent: false }, (answer) => {
      answer.destroy();
      resolve(answer.headers);
    });
    const timer = setTimeout(() => asked.destroy(new Error('no answer in time')), timeoutMs);
    asked.on('close', () => clearTimeout(timer));
    asked.on('error', reject);
    asked.end();
  });
}
