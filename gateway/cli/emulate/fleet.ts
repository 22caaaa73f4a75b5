import { askFleet } from '../../../meter-emulator/control/client.ts';
import type { FleetAnswer, FleetQuestion } from '../../../meter-emulator/control/protocol.ts';
import { HOLD_MS, PRESS_MS } from '../../../meter-emulator/operations/buttons.ts';
import { type DeviceId, isDeviceId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { screenText } from './screen-text.ts';

/** Hand and eye at a meter of the fleet that runs in a data folder. */

export interface FleetFlags {
  readonly data?: string;
  readonly json?: boolean;
}

const DATA_USUAL = '.hes';

/** What was done, for a person who sees it happen. */
const DONE: Readonly<Record<NonNullable<FleetAnswer['did']>, string>> = {
  closed: 'the supply is on again',
  'leak-test': 'the leak test runs: look again in some seconds',
  'next-screen': 'the next screen',
  nothing:
    'a short press changed nothing (held for three seconds, with --hold, it begins the leak test of gas)',
  ended: 'airplane mode has ended: the meter speaks again',
  'not-silent': 'it was not in airplane mode',
  on: 'power is on',
  off: 'power is off',
};

/** @throws ERR_USAGE, ERR_FLEET_NOT_RUNNING, ERR_FLEET_DEVICE, ERR_FLEET_SOCKET, ERR_EMULATED_POWER */
async function ask({ data = DATA_USUAL, json }: FleetFlags, question: FleetQuestion): Promise<void> {
  const { did, screen } = await askFleet(data, question);
  if (json === true) {
    process.stdout.write(`${JSON.stringify(did === null ? screen : { did, ...screen })}\n`);
    return;
  }
  process.stdout.write(`${did === null ? '' : ` ${DONE[did]}\n`}${screenText(screen)}`);
}

export const showScreen = (device: string, flags: FleetFlags & { readonly label?: boolean }): Promise<void> =>
  ask(flags, { do: 'screen', device: deviceOf(device), label: flags.label === true });

export const pressButton = (device: string, flags: FleetFlags & { readonly hold?: boolean }): Promise<void> =>
  ask(flags, { do: 'press', device: deviceOf(device), heldMs: flags.hold === true ? HOLD_MS : PRESS_MS });

export const endAirplane = (device: string, flags: FleetFlags): Promise<void> =>
  ask(flags, { do: 'airplane-off', device: deviceOf(device) });

export const setPower = (device: string, state: 'on' | 'off', flags: FleetFlags): Promise<void> =>
  ask(flags, { do: 'power', device: deviceOf(device), on: state === 'on' });

function deviceOf(text: string): DeviceId {
  if (!isDeviceId(text)) throw usage('a device has 16 hex digits: hes meter list shows them');
  return text;
}
