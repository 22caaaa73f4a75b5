import { Argument, type Command } from 'commander';
import type { FleetFlags } from './fleet.ts';

const DEVICE = 'its pseudonym, 16 hex digits: hes meter list shows them';

/** `hes emulate screen|press|airplane-off|power`: hand and eye at a meter of the fleet that runs. */
export function addFleetCommands(emulate: Command): void {
  withFolder(emulate.command('screen'))
    .description('what an emulated meter of the running fleet shows: display, switches, tariff, lines of P1')
    .argument('<device>', DEVICE)
    .option('--label', 'also what its label says: its EAN')
    .action(async (device: string, flags: FleetFlags & { label?: boolean }) => {
      const { showScreen } = await import('./fleet.ts');
      await showScreen(device, flags);
    });

  withFolder(emulate.command('press'))
    .description('press its button: it closes what is ready (the arrow blinks), or shows the next screen')
    .argument('<device>', DEVICE)
    .option('--hold', 'for three seconds, as the leak test of gas wants it')
    .action(async (device: string, flags: FleetFlags & { hold?: boolean }) => {
      const { pressButton } = await import('./fleet.ts');
      await pressButton(device, flags);
    });

  withFolder(emulate.command('airplane-off'))
    .description('end its airplane mode, as only somebody in front of it can')
    .argument('<device>', DEVICE)
    .action(async (device: string, flags: FleetFlags) => {
      const { endAirplane } = await import('./fleet.ts');
      await endAirplane(device, flags);
    });

  withFolder(emulate.command('power'))
    .description('have the power of its street fail, or come back')
    .argument('<device>', DEVICE)
    .addArgument(new Argument('<state>', 'power').choices(['on', 'off']))
    .action(async (device: string, state: 'on' | 'off', flags: FleetFlags) => {
      const { setPower } = await import('./fleet.ts');
      await setPower(device, state, flags);
    });
}

function withFolder(command: Command): Command {
  return command
    .option('--data <folder>', 'the data folder of the hes up that runs (default .hes)')
    .option('--json', 'one JSON object');
}
