import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { type HttpStandIn, type IssuedCredentials, type ReceivedRequest, startHttpStandIn } from './http-stand-in.js';

/** A request to the security token service, taken apart. */
export interface StsRequest {
  /** `AssumeRole`, `AssumeRoleWithWebIdentity` or `GetCallerIdentity`. */
  readonly action: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** Of the credentials that signed the request; absent where it is not signed, as with a web identity. */
  readonly accessKeyId: string | undefined;
}

export interface StsFailure {
  readonly status: number;
  /** As in `AccessDenied`. */
  readonly code: string;
  readonly message: string;
}

/** A stand-in for the security token service. What it answers can be changed between requests. */
export interface Sts extends HttpStandIn {
  /** The API requests so far; the unsigned HEAD that asks for the time is in `requests` only. */
  readonly calls: readonly StsRequest[];
  /** Makes the credentials of the next answers, or the failure in their place. */
  respond(give: (request: StsRequest) => IssuedCredentials | StsFailure): void;
  /** How far the `Date` of the answers is ahead of this machine's clock, in milliseconds. */
  dateOffsetMs: number;
  /** How long answers take, in milliseconds; `Infinity`: they never come. */
  delayMs: number;
}

/** Starts a stand-in for AWS STS (query API, version 2011-06-15), to be named in `AWS_ENDPOINT_URL_STS`. */
export async function startSts(give: (request: StsRequest) => IssuedCredentials | StsFailure): Promise<Sts> {
  const calls: StsRequest[] = [];
  const settings = { give, dateOffsetMs: 0, delayMs: 0 };
  const server = await startHttpStandIn(async (received, response) => {
    if (settings.delayMs === Number.POSITIVE_INFINITY) return;
    if (settings.delayMs > 0) await sleep(settings.delayMs);
    response.setHeader('date', new Date(Date.now() + settings.dateOffsetMs).toUTCString());
    if (received.method !== 'POST')
      return void response.writeHead(302, { location: 'https://aws.amazon.com/iam' }).end();
    const request = parse(received);
    calls.push(request);
    if (request.action === 'GetCallerIdentity') return send(response, 200, callerIdentity());
    const answer = settings.give(request);
    if ('status' in answer) return send(response, answer.status, failure(answer));
    send(response, 200, credentials(request.action, answer));
  });
  return {
    ...server,
    calls,
    respond(next) {
      settings.give = next;
    },
    get dateOffsetMs() {
      return settings.dateOffsetMs;
    },
    set dateOffsetMs(offsetMs) {
      settings.dateOffsetMs = offsetMs;
    },
    get delayMs() {
      return settings.delayMs;
    },
    set delayMs(delayMs) {
      settings.delayMs = delayMs;
    },
  };
}

function parse({ body, headers }: ReceivedRequest): StsRequest {
  const { Action: action = '', ...parameters } = Object.fromEntries(new URLSearchParams(body));
  return { action, parameters, accessKeyId: /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] };
}

function send(response: ServerResponse, status: number, xml: string): void {
  response.writeHead(status, { 'content-type': 'text/xml' }).end(xml);
}

const NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

function credentials(
  action: string,
  { accessKeyId, secretAccessKey, sessionToken, expiration }: IssuedCredentials,
): string {
  return `<${action}Response ${NAMESPACE}><${action}Result>
  <AssumedRoleUser><AssumedRoleId>AROAEXAMPLE:app</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/app/app</Arn></AssumedRoleUser>
  <Credentials>
    <AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey>
    <SessionToken>${sessionToken}</SessionToken><Expiration>${expiration.toISOString()}</Expiration>
  </Credentials>
</${action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></${action}Response>`;
}

function callerIdentity(): string {
  return `<GetCallerIdentityResponse ${NAMESPACE}><GetCallerIdentityResult>
  <Arn>arn:aws:iam::123456789012:user/app</Arn><UserId>AIDAEXAMPLE</UserId><Account>123456789012</Account>
</GetCallerIdentityResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetCallerIdentityResponse>`;
}

function failure({ status, code, message }: StsFailure): string {
  return `<ErrorResponse ${NAMESPACE}><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type>
  <Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`;
}
