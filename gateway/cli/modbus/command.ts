import { type Command, Option } from 'commander';
import { PARITIES } from '../../edge/modbus/endpoint.ts';
import { wholeNumber } from '../numbers.ts';
import type { EmulateFlags } from './emulate.ts';
import type { ReadFlags } from './read.ts';
import type { ScanFlags } from './scan.ts';

/** `hes modbus …`: which meters are on a line, and what they say. */
export function addModbusCommands(program: Command): void {
  const modbus = program.command('modbus').description('Modbus meters: find them, read them, try them');

  line(modbus.command('read'))
    .description('read a meter once')
    .option('--profile <name>', 'which meter it is; hes modbus profiles lists them')
    .option('--profile-file <file>', 'a profile of your own, YAML or JSON')
    .option('--id <n>', "unit id (default: the profile's)", wholeNumber(0, 255))
    .option('--json', 'print JSON')
    .action(async (flags: ReadFlags) => {
      const { readOnce } = await import('./read.ts');
      await readOnce(flags);
    });

  line(modbus.command('scan'))
    .description('find meters: speeds, parities and unit ids of a line, or unit ids behind a TCP port')
    .option('--ids <list>', 'unit ids, for example 1-10,126 (default: 1-10 and those that profiles have)')
    .option('--bauds <list>', 'with --serial: speeds to try (default 9600,19200,2400)')
    .option('--parities <list>', 'with --serial: parities to try (default none,even)')
    .option('--profile-file <file>', 'also look for a meter of your own profile')
    .option('--json', 'print one JSON object a line for each unit')
    .action(async (flags: ScanFlags) => {
      const { scanOnce } = await import('./scan.ts');
      process.exitCode = await scanOnce(flags);
    });

  modbus
    .command('profiles')
    .description('list the meters that are known, or print one profile as a start for your own')
    .argument('[name]', 'which')
    .action(async (name: string | undefined) => {
      const { showProfiles } = await import('./profiles.ts');
      await showProfiles(name);
    });

  line(modbus.command('emulate'))
    .description('be a meter: an emulated household behind the registers of a profile, until Ctrl-C')
    .option('--profile <name>', 'which meter to be (default sdm630)')
    .option('--profile-file <file>', 'a profile of your own')
    .option('--id <n>', "unit id (default: the profile's)", wholeNumber(1, 247))
    .option('--seed <n>', 'which household (default 1)', wholeNumber(0, 2 ** 32 - 1))
    .action(async (flags: EmulateFlags) => {
      const { emulate } = await import('./emulate.ts');
      await emulate(flags);
    });
}

/** Where the meters are: one of three. */
function line(command: Command): Command {
  return command
    .option('--tcp <host:port>', 'Modbus TCP (port 502 unless told)')
    .option('--rtu-tcp <host:port>', 'RTU frames through a plain serial server (ser2net)')
    .option('--serial <device>', 'a serial port, for example /dev/ttyUSB0')
    .option('--baud <n>', "with --serial (default: the profile's)", wholeNumber(300, 921_600))
    .addOption(new Option('--parity <parity>', 'with --serial').choices([...PARITIES]))
    .option('--stop-bits <n>', 'with --serial', wholeNumber(1, 2))
    .option('--timeout <ms>', 'how long a meter may take to answer', wholeNumber(20, 10_000));
}
