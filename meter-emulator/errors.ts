import { HesError } from '../protocol/errors.ts';

/** What the emulator throws, and what to do about it. docs/errors.md is made from this table. */
export const EMULATOR_ERRORS = {
  ERR_FLEET_SIZE:
    'The number of meters is not a whole number within the bound of one process; ask for fewer, or run slices.',
  ERR_FLEET_TENANTS: 'The fleet was given no tenant, or one twice; name each tenant once.',
  ERR_FLEET_SLICE: 'A slice must be one of its parts, from 0 up; correct index and of.',
  ERR_FLEET_IDENTITY:
    'A device of the fleet has no usable identity file; provision the fleet, or start over with an empty data folder.',
  ERR_FLEET_TELEGRAM:
    'The edge did not understand a telegram of the emulator itself: a fault of this program; report it with the seed.',
  ERR_TELEGRAMS_PATH:
    'The path of recorded telegrams cannot be read, or holds no file in which a P1 telegram begins; check --telegrams.',
  ERR_FLEET_DEVICE:
    'No device of the running fleet has that name; `hes meter list` shows those of an operator.',
  ERR_FLEET_NOT_RUNNING:
    'No emulated fleet answers in this data folder: start `hes up`, or name its folder with --data DIR.',
  ERR_FLEET_SOCKET:
    'The control socket of the fleet cannot be used: another user’s, no socket, or what answers there is none of this version. The message says which.',
  ERR_FLEET_REQUEST:
    'The running fleet did not understand what it was asked; use the `hes` of the same version.',
  ERR_EMULATED_POWER: 'The emulated meter has no power: `hes emulate power DEVICE on` gives it back.',
  ERR_TELEGRAMS_FILE: 'A recorded file is larger than the bound; split it.',
} as const;
export type EmulatorErrorCode = keyof typeof EMULATOR_ERRORS;

export function fleetError(code: EmulatorErrorCode, message: string, cause?: unknown): HesError {
  return new HesError(code, message, cause === undefined ? {} : { cause });
}
