import type { Command } from 'commander';
import { positiveNumber, wholeNumber } from '../numbers.ts';
import { addFleetCommands } from './fleet-command.ts';
import type { EmulateMeterFlags } from './options.ts';

/** `hes emulate …`: a meter to try everything with. */
export function addEmulateCommands(program: Command): void {
  const emulate = program.command('emulate').description('be a physical meter, to try readers with');

  emulate
    .command('meter')
    .description(
      'a SIMULATED meter: P1 port on a pseudo-terminal or TCP, Modbus, a display with its button; until Ctrl-C',
    )
    .option('--p1 <place>', 'pty:PATH or tcp:[HOST:]PORT; may be repeated (default tcp:2001)', collect)
    .option('--one-reader', 'with tcp: hang up on a second reader, as bridges for one do')
    .option('--dialect <name>', 'what it prints; hes emulate dialects lists them (default emucs-2.1.1)')
    .option('--key <file>', 'encrypt: file with the encryption key, 32 hex digits')
    .option('--auth-key <file>', "its authentication key, likewise (default: Luxembourg's)")
    .option('--seed <n>', 'which household (default 1)', wholeNumber(0, 2 ** 32 - 1))
    .option('--phases <n>', 'a household with 1 or 3 phases', wholeNumber(1, 3))
    .option('--message <text>', 'what its display and P1 say to the customer')
    .option(
      '--every <seconds>',
      'seconds between telegrams (default: as the dialect has it)',
      wholeNumber(1, 3_600),
    )
    .option('--from <time>', 'its clock begins then: YYYY-MM-DD, or with THH:MM, local time (default: now)')
    .option('--speed <n>', 'simulated days a minute (default: real time)', positiveNumber(1_000))
    .option(
      '--modbus <place>',
      'also a Modbus interface: tcp:[HOST:]PORT, or rtu:PATH on a pseudo-terminal; may be repeated',
      collect,
    )
    .option('--profile <name>', 'with --modbus: which meter (default sdm630)')
    .option('--profile-file <file>', 'with --modbus: a profile of your own')
    .option('--id <n>', "with --modbus: unit id (default: the profile's)", wholeNumber(1, 247))
    .option(
      '--fault <what>',
      'KIND[:AMOUNT][@START[/EVERY]], for example noise@10s, wrong-crc:0.05, unplug:5s@1m/10m; may be repeated',
      collect,
    )
    .option('--identity <file>', 'with an edge inside that takes commands: the identity of its device')
    .option('--front <host:port>', 'with --identity: its head-end')
    .option('--servername <name>', "with --front: the name in its certificate, where that is not the host's")
    .option('--est <url>', 'with --identity: where it renews its keys, https://HOST[:PORT]')
    .option('--json', 'one JSON object a line for each event, and no display')
    .action(async (flags: EmulateMeterFlags) => {
      const { emulateMeter } = await import('./meter.ts');
      await emulateMeter(flags);
    });

  emulate
    .command('dialects')
    .description('list what a P1 port can print')
    .action(async () => {
      const { listDialects } = await import('./dialects.ts');
      listDialects();
    });

  addFleetCommands(emulate);
}

function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
