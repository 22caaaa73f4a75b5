import { stat } from 'node:fs/promises';
import { SerialPort } from 'serialport';
import type { Link, LinkCalls, LinkTrouble, OpenLink } from './link.ts';
import type { PortState } from './source.ts';

interface SerialMode {
  readonly baudRate: number;
  readonly dataBits: 7 | 8;
  readonly parity: 'none' | 'even';
  readonly stopBits: 1;
}

/** DSMR P1 4.0 and later, e-MUCS, Luxembourg; and DSMR 2.2 and 3 (IEC 62056-21 mode D). */
export const SERIAL_MODES = {
  '115200 8N1': { baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 },
  '9600 7E1': { baudRate: 9_600, dataBits: 7, parity: 'even', stopBits: 1 },
} as const satisfies Readonly<Record<string, SerialMode>>;
export type SerialModeName = keyof typeof SERIAL_MODES;

export interface SerialLinkOptions {
  /** `/dev/ttyUSB0`, or better a name under `/dev/serial/by-id` that stays the same after a replug. */
  readonly path: string;
  /** `auto` tries them in turn until one gives telegrams. */
  readonly mode?: SerialModeName | 'auto';
}

export function serialLink({ path, mode = 'auto' }: SerialLinkOptions): Link {
  const modes = mode === 'auto' ? (Object.keys(SERIAL_MODES) as SerialModeName[]) : [mode];
  return {
    modes,
    isPort: true,
    open: (name, calls) => openSerial(path, SERIAL_MODES[name as SerialModeName], calls),
  };
}

async function openSerial(
  path: string,
  mode: SerialMode,
  { data }: LinkCalls,
): Promise<OpenLink | LinkTrouble> {
  const device = await deviceOf(path);
  if (device === null) return UNPLUGGED;
  const port = new SerialPort({ path, ...mode, autoOpen: false });
  return new Promise((resolve) => {
    const close = (): void => void (port.isOpen && port.close(() => {}));
    let check = (): void => {};
    const closed = new Promise<LinkTrouble>((settle) => {
      port.on('close', () => settle(UNPLUGGED));
      port.on('error', (error) => {
        settle(troubleOf(error));
        close();
      });
      check = () =>
        void deviceOf(path).then((present) => {
          if (present === device) return;
          settle(UNPLUGGED);
          close();
        });
    });
    port.on('data', (block: Buffer) => data(block));
    port.open((error) => {
      if (error !== null) return resolve(troubleOf(error));
      // Data Request of the meter hangs on one of these lines, by the maker of the cable. A pseudo-terminal has
      // neither, and says so: it sends all the same.
      port.set({ dtr: true, rts: true }, () => {});
      resolve({ closed, close, check });
    });
  });
}

const UNPLUGGED: LinkTrouble = { state: 'unplugged', code: 'ENODEV' };

/**
 * Which device a path is at this moment, or null. An adapter that is pulled while the binding reads is not always
 * noticed by it: Linux answers reads of a terminal that hung up with 0 bytes, at which the binding tries again, for
 * ever and as fast as it can. That the path is gone, or another device, cannot be missed.
 */
async function deviceOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).rdev;
  } catch {
    return null;
  }
}

/** serialport's binding says why in words only (bindings-cpp, serialport_unix.cpp: strerror and its own). */
const TROUBLES: readonly (readonly [words: RegExp, state: PortState, code: string])[] = [
  [/no such file|no such device|not found|disconnected|input\/output error|bad file/i, 'unplugged', 'ENODEV'],
  [/permission denied|access denied|not permitted/i, 'denied', 'EACCES'],
  [/cannot lock|temporarily unavailable|resource busy|device busy/i, 'busy', 'EBUSY'],
];

function troubleOf(error: Error): LinkTrouble {
  for (const [words, state, code] of TROUBLES) if (words.test(error.message)) return { state, code };
  return { state: 'failed', code: (error as NodeJS.ErrnoException).code ?? error.name };
}
