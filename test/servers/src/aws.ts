import { EventEmitter, once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type HttpStandIn, type ReceivedRequest, startHttpStandIn } from './http-stand-in.js';

/** The services by their names in signatures. */
type AwsService = 'rds' | 'sts' | 'iam' | 'logs';

/** A parsed API request. */
export interface AwsCall<Value = unknown> {
  readonly service: AwsService;
  /** Such as `DescribeDBInstances`. */
  readonly action: string;
  /** For RDS, STS and IAM as sent: `{ 'Filters.Filter.1.Name': 'db-cluster-id' }`. For CloudWatch Logs the JSON. */
  readonly parameters: Readonly<Record<string, Value>>;
  /** The region that the request is signed for. */
  readonly region: string;
  /** The access key that signed the request; absent if it is not signed, as with a web identity. */
  readonly accessKeyId: string | undefined;
}

/** Made by `result`, `failure`, `denied`, `throttled`, `malformed` and `silence`. */
export interface AwsAnswer {
  send(call: AwsCall, response: ServerResponse): void;
}

/** A response, or a function that makes it; a promise lets the test decide when it comes. */
type AwsHandler<Value> = AwsAnswer | ((call: AwsCall<Value>) => AwsAnswer | Promise<AwsAnswer>);

/** By service and action. Any other action is refused as not permitted. */
export interface AwsHandlers {
  readonly rds?: Readonly<Record<string, AwsHandler<string>>>;
  readonly sts?: Readonly<Record<string, AwsHandler<string>>>;
  readonly iam?: Readonly<Record<string, AwsHandler<string>>>;
  readonly logs?: Readonly<Record<string, AwsHandler<unknown>>>;
}

/** A stand-in for AWS's services, for the real clients of the AWS SDK. */
export interface Aws extends HttpStandIn {
  /** Environment variables that make a process use only this stand-in, with an access key and the region. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** The correctly signed requests so far, in order. */
  readonly calls: readonly AwsCall[];
  /** `rds:DescribeDBInstances` and so on, in order. */
  readonly actions: readonly string[];
  /** Resolves once there was a call of this action, `rds:DescribeDBInstances`. */
  asked(action: string): Promise<void>;
  /** Replaces the handlers for the same actions. */
  answer(handlers: AwsHandlers): void;
}

/** The credentials of a user in the account, for every test that signs anything. */
export const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

export const ACCOUNT = '123456789012';
/** Nothing answers there. For `AWS_ENDPOINT_URL_RDS` and the like, to make a service unreachable. */
export const UNREACHABLE = 'http://127.0.0.1:9';

/** Environment variables that point every AWS service to this URL. */
function awsVariables(url: string, region = 'eu-west-1'): Readonly<Record<string, string | undefined>> {
  return {
    AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    AWS_SESSION_TOKEN: undefined,
    AWS_REGION: region,
    AWS_ENDPOINT_URL: url,
    // A variable for one service takes precedence over the one for all.
    AWS_ENDPOINT_URL_RDS: url,
    AWS_ENDPOINT_URL_STS: url,
    AWS_ENDPOINT_URL_IAM: url,
    AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: url,
  };
}

/** Starts it on a free port on loopback. `GetCallerIdentity` is answered unless a handler replaces it. */
export async function startAws(given: AwsHandlers = {}, { region = 'eu-west-1' } = {}): Promise<Aws> {
  const calls: AwsCall[] = [];
  const actions: string[] = [];
  const heard = new EventEmitter();
  const handlers = new Map<string, AwsHandler<string>>();
  const answer = (more: AwsHandlers) => {
    // Each handler only gets calls of its own service, so the type of its parameters does not matter here.
    for (const [service, actions] of Object.entries(more as Record<string, Record<string, AwsHandler<string>>>)) {
      for (const [action, handler] of Object.entries(actions)) handlers.set(`${service}:${action}`, handler);
    }
  };
  answer({ sts: { GetCallerIdentity: callerIdentity() } });
  answer(given);
  const server = await startHttpStandIn(async (received, response) => {
    // STS's own response to an unsigned request for the time.
    if (received.method !== 'POST')
      return void response.writeHead(302, { location: 'https://aws.amazon.com/iam' }).end();
    const call = parse(received);
    const wrong = signatureFault(call, region);
    if (wrong) return wrong.send(call, response);
    calls.push(call);
    actions.push(nameOf(call));
    heard.emit('call');
    const handler = handlers.get(nameOf(call)) ?? denied();
    (typeof handler === 'function' ? await handler(call as AwsCall<string>) : handler).send(call, response);
  });
  return Object.assign(server, {
    variables: awsVariables(server.url, region),
    calls,
    actions,
    async asked(action: string) {
      while (!actions.includes(action)) await once(heard, 'call');
    },
    answer,
  });
}

/** Success. For RDS, STS and IAM, elements by name; a list repeats an element: `{ DBInstances: { DBInstance: [{ … }] } }`. */
export function result(value: object = {}): AwsAnswer {
  return {
    send: (call, response) =>
      call.service === 'logs'
        ? sendJson(response, 200, value)
        : sendXml(response, 200, `${call.action}Response`, {
            [`${call.action}Result`]: value,
            ResponseMetadata: { RequestId: '1' },
          }),
  };
}

/** An error of the service, with a code such as `DBInstanceNotFound`. */
export function failure(status: number, code: string, message: string): AwsAnswer {
  return {
    send: ({ service }, response) =>
      service === 'logs'
        ? sendJson(response, status, { __type: code, message })
        : sendXml(response, status, 'ErrorResponse', {
            Error: { Type: status < 500 ? 'Sender' : 'Receiver', Code: code, Message: message },
            RequestId: '1',
          }),
  };
}

/** The service's error for a caller without permission. */
export function denied(): AwsAnswer {
  return {
    send(call, response) {
      const message = `User: arn:aws:iam::${ACCOUNT}:user/app is not authorized to perform: ${nameOf(call)} because no identity-based policy allows the ${nameOf(call)} action`;
      const [status, code] = call.service === 'logs' ? [400, 'AccessDeniedException'] : [403, 'AccessDenied'];
      failure(status, code, message).send(call, response);
    },
  };
}

/** Too many requests. The SDK retries; by default there are three attempts in all. */
export function throttled(): AwsAnswer {
  return {
    send: (call, response) =>
      failure(400, call.service === 'logs' ? 'ThrottlingException' : 'Throttling', 'Rate exceeded').send(
        call,
        response,
      ),
  };
}

/** The body of something else, such as a captive portal, with status 200. */
export function malformed(body = '<html><body>Sign in to the network'): AwsAnswer {
  return { send: (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(body) };
}

/** Never a response; the connection stays open. */
export function silence(): AwsAnswer {
  return { send: () => {} };
}

function callerIdentity(): AwsAnswer {
  return result({ Arn: `arn:aws:iam::${ACCOUNT}:user/app`, UserId: 'AIDAEXAMPLE', Account: ACCOUNT });
}

const nameOf = ({ service, action }: AwsCall) => `${service}:${action}`;

/** The service that a request is for, by its body or header; the signature must match. */
const VERSIONS: Readonly<Record<string, AwsService>> = {
  '2014-10-31': 'rds',
  '2011-06-15': 'sts',
  '2010-05-08': 'iam',
};

interface ParsedCall extends AwsCall {
  readonly signedService: string | undefined;
}

function parse({ body, headers }: ReceivedRequest): ParsedCall {
  const scope = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/\d{8}\/([\w-]+)\/(\w+)\/aws4_request, /.exec(
    headers.authorization ?? '',
  );
  const [, accessKeyId, region = '', signedService] = scope ?? [];
  const signed = { accessKeyId, region, signedService };
  const target = /^Logs_20140328\.(\w+)$/.exec(String(headers['x-amz-target'] ?? ''));
  if (target) return { service: 'logs', action: target[1] ?? '', parameters: JSON.parse(body), ...signed };
  const { Action: action = '', Version: version = '', ...parameters } = Object.fromEntries(new URLSearchParams(body));
  const service = VERSIONS[version];
  if (service === undefined) throw new Error(`a request for no service that is stood in for: ${body}`);
  return { service, action, parameters, ...signed };
}

function signatureFault({ service, action, region, signedService }: ParsedCall, wanted: string): AwsAnswer | undefined {
  if (signedService === undefined && action === 'AssumeRoleWithWebIdentity') return undefined;
  if (signedService === undefined)
    return failure(403, 'MissingAuthenticationToken', 'Request is missing Authentication Token');
  // IAM is one service for all regions of a partition.
  const right = service === 'iam' ? 'us-east-1' : wanted;
  if (signedService === service && region === right) return undefined;
  return failure(403, 'SignatureDoesNotMatch', `Credential should be scoped to ${right}/${service}`);
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(value));
}

function sendXml(response: ServerResponse, status: number, name: string, value: object): void {
  response.writeHead(status, { 'content-type': 'text/xml' }).end(xml(name, value));
}

function xml(name: string, value: unknown): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return value.map((each) => xml(name, each)).join('');
  const content =
    typeof value === 'object' && value !== null && !(value instanceof Date)
      ? Object.entries(value)
          .map(([key, each]) => xml(key, each))
          .join('')
      : (value instanceof Date ? value.toISOString() : String(value)).replace(/[<&]/g, (c) => `&#${c.charCodeAt(0)};`);
  return `<${name}>${content}</${name}>`;
}
