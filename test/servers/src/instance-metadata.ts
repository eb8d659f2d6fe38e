import { type HttpStandIn, type IssuedCredentials, type ReceivedRequest, startHttpStandIn } from './http-stand-in.js';

/** A stand-in for EC2's instance metadata service that insists on version 2, like an instance with `HttpTokens=required`. */
export interface InstanceMetadata extends HttpStandIn {
  readonly roleName: string;
  /** The requests without a session token (version 1), all of which were refused. */
  readonly refusedVersion1: readonly ReceivedRequest[];
  /** Makes the credentials of the next answers; a number is an HTTP status to fail with. */
  respond(give: () => IssuedCredentials | number): void;
}

const TOKEN_PATH = '/latest/api/token';
const ROLES_PATH = '/latest/meta-data/iam/security-credentials/';
const LONGEST_TTL_SECONDS = 21_600;

/** Starts a stand-in for the instance metadata service, to be named in `AWS_EC2_METADATA_SERVICE_ENDPOINT`. */
export async function startInstanceMetadata(give: () => IssuedCredentials | number): Promise<InstanceMetadata> {
  const roleName = 'app-instance-role';
  const sessions = new Set<string>();
  const refusedVersion1: ReceivedRequest[] = [];
  let current = give;
  const server = await startHttpStandIn((request, response) => {
    const { method, path, headers } = request;
    const answer = (status: number, text = '') => void response.writeHead(status).end(text);
    if (path === TOKEN_PATH) {
      const ttlSeconds = Number(headers['x-aws-ec2-metadata-token-ttl-seconds']);
      if (method !== 'PUT') return answer(405);
      if (!(ttlSeconds >= 1 && ttlSeconds <= LONGEST_TTL_SECONDS)) return answer(400);
      const session = `metadata-session-${sessions.size + 1}`;
      sessions.add(session);
      return answer(200, session);
    }
    const session = headers['x-aws-ec2-metadata-token'];
    if (session === undefined) refusedVersion1.push(request);
    if (!sessions.has(String(session))) return answer(401);
    if (method !== 'GET') return answer(405);
    if (path === ROLES_PATH) return answer(200, roleName);
    if (path !== ROLES_PATH + roleName) return answer(404);
    const issued = current();
    if (typeof issued === 'number') return answer(issued);
    answer(
      200,
      JSON.stringify({
        Code: 'Success',
        Type: 'AWS-HMAC',
        LastUpdated: new Date().toISOString(),
        AccessKeyId: issued.accessKeyId,
        SecretAccessKey: issued.secretAccessKey,
        Token: issued.sessionToken,
        Expiration: issued.expiration.toISOString(),
      }),
    );
  });
  return Object.assign(server, {
    roleName,
    refusedVersion1,
    respond(next: typeof give) {
      current = next;
    },
  });
}
