import { type Command, InvalidArgumentError, Option } from 'commander';
import { STORED_STATES } from '../../desk/lifecycle/states.ts';
import { addCampaignCommands } from '../campaign/command.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { deskOptions } from '../desk-client/flags.ts';
import { hinted } from '../hints.ts';
import { wholeNumber } from '../numbers.ts';
import type { ApproveFlags } from './approve.ts';
import type { ListFlags, ReasonFlags } from './look.ts';

/** `hes op …`: the fixed words. Those of the command table are `rows.ts`, which is loaded where one of them is meant. */
export function addOpCommands(program: Command): Command {
  const op = deskOptions(
    program
      .command('op')
      .description('tele-operations: propose, sign, approve and follow commands for meters')
      .enablePositionalOptions(),
    { hidden: true },
  );

  const approval = leaf(
    op,
    'approve',
    'put the second signature under a critical command, after reading what it says',
  )
    .argument('<id>', 'the command')
    .option('-y, --yes', 'do not ask');
  deskOptions(waitOptions(approval)).action(async (id: string, flags: ApproveFlags) => {
    const { approve } = await import('./approve.ts');
    process.exitCode = await approve(id, flags);
  });

  for (const [what, says] of [
    ['cancel', 'stop a command that was not sent yet'],
    ['release', 'let a command go on that is held above a threshold'],
  ] as const)
    deskOptions(
      leaf(op, what, says)
        .argument('<id>', 'the command')
        .option('--reason <text>', 'why, for the audit')
        .option('--json', 'print the command as JSON'),
    ).action(async (id: string, flags: ReasonFlags) => {
      const { changeCommand } = await import('./look.ts');
      process.exitCode = await changeCommand(what, id, flags);
    });

  deskOptions(
    leaf(op, 'show', 'show a command: what was signed, by whom, and what became of it')
      .argument('<id>', 'the command')
      .option('--json', 'print it as JSON'),
  ).action(async (id: string, flags: DeskFlags & { json?: boolean }) => {
    const { showCommand } = await import('./look.ts');
    process.exitCode = await showCommand(id, flags);
  });

  deskOptions(
    leaf(op, 'list', 'list commands, the newest first')
      .option('--device <device>', 'those for one meter')
      .addOption(hinted('--state <state>', 'those in one state', STORED_STATES))
      .option('--type <type>', 'those of one kind, as tariff.set')
      .option('--person <name>', 'those that somebody proposed')
      .option('--limit <n>', 'so many at most (default 50)', wholeNumber(1, 10_000_000))
      .option('--json', 'print an array of objects'),
  ).action(async (flags: ListFlags) => {
    const { listCommands } = await import('./look.ts');
    process.exitCode = await listCommands(flags);
  });

  deskOptions(
    leaf(op, 'watch', 'show each change of a command as it happens')
      .option('--device <device>', 'of one meter')
      .option('--json', 'print a JSON object a line'),
  ).action(async (flags: DeskFlags & { device?: string; json?: boolean }) => {
    const { watchCommands } = await import('./look.ts');
    process.exitCode = await watchCommands(flags);
  });
  addCampaignCommands(op);
  return op;
}

/** @param options.isDefault whether the words above it mean this one, where nothing else is said */
export function leaf(
  above: Command,
  name: string,
  description: string,
  options: { readonly isDefault?: boolean } = {},
): Command {
  return above.command(name, options).description(description);
}

export function waitOptions(command: Command): Command {
  return command
    .option('--wait', 'follow it until its end; the exit code then says which')
    .addOption(
      new Option('--timeout <seconds>', 'with --wait: no longer than so (default 300)').argParser(
        wholeNumber(1, 31 * 86_400),
      ),
    )
    .option('--json', 'print the command as JSON');
}

const SPAN = /^(\d{1,7})([smhd])$/;
const SPAN_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90s`, `30m`, `12h`, `7d` */
export function spanSeconds(text: string): number {
  const [, count, unit] = SPAN.exec(text) ?? [];
  if (unit === undefined) throw new InvalidArgumentError('It must be a time span as 30m, 12h or 7d.');
  return Number(count) * SPAN_SECONDS[unit]!;
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:\d\d)$/;

export function instantSeconds(text: string): number {
  const epochMs = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(epochMs))
    throw new InvalidArgumentError('It must be a time with its offset, as 2027-01-01T00:00:00+01:00.');
  return Math.floor(epochMs / 1_000);
}
