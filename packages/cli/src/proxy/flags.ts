import type { Command } from 'commander';

/** The settings by the name of their flag, with a value or without, in the order of the help. */
export const SETTINGS = {
  port: ['number', 'the port for the first URL; each further URL gets the next; 0 for free ones'],
  socket: ['folder', 'Unix sockets in a folder that only you can access, in place of ports'],
  address: [
    'ip',
    'the address to listen on, 127.0.0.1 if left out; beyond loopback it needs --tls-cert and a password',
  ],
  'password-file': ['file', "the clients' password; if left out a random one, and none at a socket"],
  'no-password': ['', 'asks for none; at a port only with --trust-local-users'],
  'trust-local-users': ['', 'lets in everybody with an account on this machine'],
  'password-method': ['name', 'scram-sha-256, or password for old clients of PostgreSQL'],
  'tls-cert': ['file', 'a certificate (PEM) for clients that want TLS'],
  'tls-key': ['file', 'its key (PEM)'],
  'any-user': ['', 'lets clients name other users and databases than the URL does'],
  'max-connections': ['number', 'how many clients may be logged in'],
  'http-port': ['number', 'health checks, metrics for Prometheus, and a live page'],
  'http-address': ['ip', 'the address of that port, 127.0.0.1 if left out; it shows who logs in where, and no secrets'],
  'max-sigterm-delay': ['seconds', 'how long open connections may continue after SIGTERM; 30 if left out'],
  dial: ['host:port', 'where to connect instead, such as a tunnel; everything else is about the endpoint'],
  region: ['name', 'if neither the host name nor the environment has it'],
  profile: ['name', 'of the shared AWS configuration'],
  ca: ['file', 'CA certificates (PEM) in place of the RDS roots'],
} as const satisfies Readonly<Record<string, readonly [value: string, description: string]>>;

/** The name of a setting. */
export type SettingName = keyof typeof SETTINGS;

/** Adds an argument for the URLs, and the flags. */
export function addProxyFlags(command: Command): Command {
  command.argument('[urls...]', 'postgresql://user@host:port/database, or mysql://…; DATABASE_URL if left out');
  for (const [name, [value, description]] of Object.entries(SETTINGS)) {
    command.option(value === '' ? `--${name}` : `--${name} <${value}>`, description);
  }
  return command
    .option('--config <file>', 'a JSON object with any of these by name, and "urls"')
    .option('--json', 'prints everything, including each login, as lines of JSON');
}
