import { readFileSync } from 'node:fs';
import { Argument, Command, Option } from 'commander';
import { LOG_LEVELS, type LogLevel } from '../runtime/log.ts';
import { addAuditCommands } from './audit/command.ts';
import { completionScript, SHELLS, type Shell } from './completion.ts';
import { deskOptions, handDown } from './desk-client/flags.ts';
import { addEdgeCommands } from './edge/command.ts';
import { addEmulateCommands } from './emulate/command.ts';
import { CONFIG_KINDS, type ConfigKind, SERVICES } from './kinds.ts';
import { addMeterCommands } from './meter/command.ts';
import { addModbusCommands } from './modbus/command.ts';
import { positiveNumber, wholeNumber } from './numbers.ts';
import { addOpCommands } from './op/command.ts';
import { addP1Commands } from './p1/command.ts';
import { addPkiCommands } from './pki/command.ts';
import type { UpFlags } from './up/options.ts';

/** Where the rows of the command table are asked for: to run one, to explain or to complete. */
const ROWS_FOR = ['op', 'help', 'completion'] as const;

/**
 * The whole command line as one table of commands; what each does is loaded only when it runs, and the command table
 * only where a word asks for it.
 */
export async function buildProgram(words: readonly string[] = ROWS_FOR): Promise<Command> {
  const program = new Command('hes')
    .description('Head-end gateway for smart meters: carries what it cannot read.')
    .version(version(), '-V, --version')
    .showSuggestionAfterError()
    .showHelpAfterError('(add --help for what the command takes)')
    .enablePositionalOptions()
    .hook('preAction', (_, command) => handDown(command))
    .exitOverride();
  deskOptions(program, { hidden: true });

  program
    .command('up')
    .description(
      'start everything on this machine: front, a router and a simulated MDM per operator, and an emulated fleet',
    )
    .option('--once', 'run the days asked for on a simulated clock, and end when each index has its receipt')
    .option(
      '--meters <n>',
      'daily indexes a day, spread over the operators (default 210)',
      wholeNumber(1, 100_000),
    )
    .option('--days <n>', 'with --once: days to run (default 1)', wholeNumber(1, 10_000))
    .option('--seed <n>', 'what the fleet is grown from (default 1)', wholeNumber(0, 2 ** 32 - 1))
    .option('--from <day>', 'first simulated day, YYYY-MM-DD (default 2026-03-28)')
    .option('--speed <n>', 'simulated days a minute, without --once (default 1)', positiveNumber(100_000))
    .option('--real-time', 'live with the real clock, so that physical meters can join (hes edge run)')
    .option('--report <file>', 'with --once: write the report as JSON')
    .option(
      '--deadline <seconds>',
      'with --once: give up after so long (default: grows with the run)',
      wholeNumber(1, 86_400),
    )
    .option(
      '--telegrams <path>',
      'feed recorded P1 telegrams, a file or a folder of files, instead of an emulated fleet',
    )
    .option('--tenant <name>', 'with --telegrams: whose meters they are (default ores)')
    .option('--mdm-out <file>', 'the simulated MDMs write each record that they accepted as a JSON line')
    .option('--data <folder>', 'development keys and sealed outboxes (default .hes)')
    .option('--config <file>', 'configuration file, YAML or JSON; flags win over it')
    .option('--host <address>', 'address of the front (default 127.0.0.1)')
    .option('--port <n>', 'port of the front, 0 for a free one (default 8883)', wholeNumber(0, 65_535))
    .option('--json', 'print the report on standard output')
    .addOption(logLevel())
    .action(async (flags: UpFlags) => {
      const { up } = await import('./up/up.ts');
      process.exitCode = await up(flags);
    });

  for (const [name, description] of SERVICES)
    program
      .command(name)
      .description(description)
      .requiredOption('--config <file>', 'configuration, YAML or JSON; - reads standard input')
      .addOption(logLevel())
      .action(async (flags: { config: string; logLevel?: LogLevel }) => {
        const { runNamedService } = await import('./services.ts');
        runNamedService(name, flags.config, flags.logLevel);
      });

  addEdgeCommands(program);
  addP1Commands(program);
  addModbusCommands(program);
  addEmulateCommands(program);
  addPkiCommands(program);
  addMeterCommands(program);
  const op = addOpCommands(program);
  if (ROWS_FOR.some((word) => words.includes(word))) {
    const { addRowCommands } = await import('./op/rows.ts');
    addRowCommands(op);
  }
  addAuditCommands(program);

  const config = program.command('config').description('configuration files');
  config
    .command('check')
    .description('check a configuration file against its schema')
    .addArgument(new Argument('<kind>', 'which').choices(CONFIG_KINDS))
    .argument('<file>', 'YAML or JSON; - reads standard input')
    .action(async (kind: ConfigKind, file: string) => {
      const { checkConfig } = await import('./config.ts');
      await checkConfig(kind, file);
    });
  config
    .command('schema')
    .description('print the JSON Schema of a configuration file')
    .addArgument(new Argument('<kind>', 'which').choices(CONFIG_KINDS))
    .action(async (kind: ConfigKind) => {
      const { printSchema } = await import('./config.ts');
      printSchema(kind);
    });

  program
    .command('completion')
    .description('print a completion script, for example: source <(hes completion bash)')
    .addArgument(new Argument('<shell>', 'shell').choices(SHELLS))
    .action((shell: Shell) => {
      process.stdout.write(completionScript(program, shell));
    });

  overrideExit(program);
  return program;
}

function version(): string {
  const file = ['../../package.json', '../../../package.json'].map((path) => new URL(path, import.meta.url));
  for (const url of file)
    try {
      return (JSON.parse(readFileSync(url, 'utf8')) as { version: string }).version;
    } catch {
      // the built form lies one folder deeper
    }
  return 'unknown';
}

function logLevel(): Option {
  return new Option('--log-level <level>', 'what the log tells').choices(LOG_LEVELS);
}

/** Sub-commands inherit no exit handling: without this a wrong flag would end the process inside commander. */
function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}
