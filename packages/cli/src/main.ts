import { Command, CommanderError } from 'commander';
import { addCommands, EXIT_CODES } from './commands.js';
import { codeOf, EXIT, exitCodeOf, UsageError } from './exit-code.js';
import { tell, tellJsonError, write, writeTalk } from './terminal.js';
import { VERSION } from './version.js';

const HELP_WIDTH = 80;

/** Runs one command line. @returns the exit code of the process */
export async function main(argv: readonly string[]): Promise<number> {
  const separator = argv.indexOf('--');
  const own = separator === -1 ? argv : argv.slice(0, separator);
  const behind = separator === -1 ? undefined : argv.slice(separator + 1);
  // Also if the command line cannot be parsed.
  const json = own.includes('--json');
  const environment = { ...process.env };
  // The SDK's warning about the version of Node.js would come before the actual output.
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
  let exitCode: number = EXIT.ok;
  const program = programFor(json);
  addCommands(program, {
    behind,
    json,
    environment,
    done(code) {
      exitCode = code;
    },
  });
  try {
    await program.parseAsync(own, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed the error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { inFlags } = await import('./in-flags.js');
    const message = inFlags(error);
    if (json) tellJsonError(codeOf(error), message);
    else tell(message, 'error');
    return exitCodeOf(error);
  }
}

/** The program without its commands. */
function programFor(json: boolean): Command {
  const outputError = (text: string) => {
    const message = text.replace(/^error: /, '').trimEnd();
    if (json) tellJsonError(new UsageError(message).code, message);
    else tell(message, 'error');
  };
  return new Command('rds-iam')
    .description('IAM database authentication for Amazon RDS and Aurora.')
    .version(VERSION)
    .exitOverride()
    .configureOutput({
      // As wide as the help made at build time, if that fits.
      getOutHelpWidth: () => Math.min(process.stdout.columns ?? HELP_WIDTH, HELP_WIDTH),
      writeOut: write,
      writeErr: writeTalk,
      outputError,
    })
    .showSuggestionAfterError()
    .hook('preAction', (_, command) => {
      // The result of an unset shell variable. To RDS, an empty name would mean all databases.
      for (const [name, value] of Object.entries(command.opts())) {
        const isEmpty = [value].flat().includes('');
        const flag = command.options.find((option) => option.attributeName() === name)?.long;
        if (isEmpty) throw new UsageError(`${flag} is empty: give a value, or leave it out`);
      }
    })
    .addHelpText(
      'after',
      `
Settings come from flags, else from the URL, DATABASE_URL, or PGHOST, PGPORT, PGUSER and PGDATABASE; AWS credentials
and the region from where the AWS SDK finds them.

Example:
  $ PGPASSWORD=$(rds-iam token --hostname mydb.abc123.eu-west-1.rds.amazonaws.com --port 5432 --username app) psql …
${EXIT_CODES}`,
    );
}
