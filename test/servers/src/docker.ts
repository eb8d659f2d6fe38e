import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** How to run an engine's official image. */
export interface ImageUse {
  readonly image: string;
  readonly port: number;
  readonly environment: Readonly<Record<string, string>>;
  /** Arguments to add to the image's own command. */
  readonly command: readonly string[];
  /** A shell command that succeeds inside the container once the server answers over TCP. */
  readonly healthCheck: string;
}

/** The address of a server that was started here. */
export interface StartedServer {
  readonly hostname: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Whether there is an engine to try, without the third of a second that loading testcontainers takes. */
export function mayHaveEngine(environment: NodeJS.ProcessEnv = process.env): boolean {
  if (environment['DOCKER_HOST']) return true;
  return [
    '/var/run/docker.sock',
    join(environment['XDG_RUNTIME_DIR'] ?? `/run/user/${process.getuid?.()}`, 'docker.sock'),
    join(homedir(), '.docker/run/docker.sock'),
    join(homedir(), '.docker/desktop/docker.sock'),
    join(homedir(), '.testcontainers.properties'),
  ].some((path) => existsSync(path));
}

/** Starts a container; testcontainers' own reaper removes it if this process is killed. */
export async function startContainer(use: ImageUse): Promise<StartedServer> {
  const { GenericContainer, Wait } = await import('testcontainers');
  const started = await new GenericContainer(use.image)
    .withEnvironment({ ...use.environment })
    .withCommand([...use.command])
    .withExposedPorts(use.port)
    .withHealthCheck({ test: ['CMD-SHELL', use.healthCheck], interval: 500, timeout: 5_000, retries: 240 })
    .withWaitStrategy(Wait.forHealthCheck())
    .withStartupTimeout(120_000)
    .start();
  return {
    hostname: started.getHost(),
    port: started.getMappedPort(use.port),
    async close() {
      await started.stop();
    },
  };
}
