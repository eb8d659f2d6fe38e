import { type HttpStandIn, type IssuedCredentials, startHttpStandIn } from './http-stand-in.js';

/** A stand-in for the credentials endpoint of an ECS task or an EKS pod. */
export interface ContainerCredentials extends HttpStandIn {
  /** For `AWS_CONTAINER_CREDENTIALS_FULL_URI`. */
  readonly fullUri: string;
  /** For `AWS_CONTAINER_AUTHORIZATION_TOKEN`; a request without it is refused. */
  readonly authorizationToken: string;
  /** Makes the credentials of the next answers; a number is an HTTP status to fail with. */
  respond(give: () => IssuedCredentials | number): void;
}

/** Starts a stand-in for the container credentials endpoint. */
export async function startContainerCredentials(give: () => IssuedCredentials | number): Promise<ContainerCredentials> {
  const authorizationToken = 'container-authorization-token';
  let current = give;
  const server = await startHttpStandIn(({ path, headers }, response) => {
    const fail = (status: number, code: string) =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ code }));
    if (path !== '/v1/credentials') return fail(404, 'NotFound');
    if (headers.authorization !== authorizationToken) return fail(401, 'InvalidAuthorizationToken');
    const answer = current();
    if (typeof answer === 'number') return fail(answer, 'InternalServerException');
    response.writeHead(200, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        AccessKeyId: answer.accessKeyId,
        SecretAccessKey: answer.secretAccessKey,
        Token: answer.sessionToken,
        Expiration: answer.expiration.toISOString(),
        RoleArn: 'arn:aws:iam::123456789012:role/app',
      }),
    );
  });
  return Object.assign(server, {
    fullUri: `${server.url}/v1/credentials`,
    authorizationToken,
    respond(next: typeof give) {
      current = next;
    },
  });
}
