import type { Random } from '../../gateway/runtime/random.ts';

interface FaultRow {
  /** The key that begins it, behind `f`. */
  readonly key: string;
  readonly text: string;
  /** How long it lasts where nothing is told; null for those that spoil single telegrams. */
  readonly usualMs: number | null;
  /** It may also hit a share of all telegrams. */
  readonly spoils: boolean;
}

/** What can go wrong between a meter and its reader, as it does in the field. */
export const METER_FAULTS = {
  noise: { key: 'n', text: 'stray bytes', usualMs: 5_000, spoils: true },
  cut: { key: 'c', text: 'a telegram ends in the middle', usualMs: null, spoils: true },
  'wrong-crc': { key: 'w', text: 'a telegram with a wrong CRC', usualMs: null, spoils: true },
  'wrong-speed': { key: 'b', text: 'what another line speed looks like', usualMs: 20_000, spoils: false },
  silence: { key: 's', text: 'nothing is sent', usualMs: 20_000, spoils: false },
  unplug: { key: 'u', text: 'the adapter is pulled', usualMs: 10_000, spoils: false },
  closed: { key: 'p', text: 'the customer port is closed', usualMs: Infinity, spoils: false },
} as const satisfies Readonly<Record<string, FaultRow>>;
export type MeterFault = keyof typeof METER_FAULTS;

/** Those that spoil one telegram. */
export type TelegramFault = 'noise' | 'cut' | 'wrong-crc';

export const isTelegramFault = (fault: MeterFault): fault is TelegramFault => METER_FAULTS[fault].spoils;

/** Far less than a telegram a second would be: a reader tells it from a wrong speed. */
const STRAY_BYTES_PER_SECOND = 8;
export const STRAY_EVERY_MS = 1_000 / STRAY_BYTES_PER_SECOND;

/** What 115200 8N1 looks like to a port at 9600, and the other way round: few bits change, and at odd times. */
const AT_ANOTHER_SPEED = Uint8Array.of(0x00, 0xf8, 0x80, 0xfe, 0xc0, 0x1f, 0xff, 0x80);

export function atAnotherSpeed(length: number): Buffer {
  return Buffer.alloc(length, AT_ANOTHER_SPEED);
}

export function strayByte(random: Random): Uint8Array {
  // Above 0x7F: a stray `/` would begin a telegram and make a cut one of what is none.
  return Uint8Array.of(0x80 + Math.floor(0x80 * random()));
}

/** Of a thousand bytes so many are others, and at least one. */
const NOISY_BYTES_PER_THOUSAND = 4;

/** Some leave out leading zeros. */
const CRC_END = /!([0-9A-F]{1,4})\r\n$/;

/** Spoils a copy, never the telegram itself. */
export function spoilt(telegram: Buffer, fault: TelegramFault, random: Random): Buffer {
  if (fault === 'cut') return telegram.subarray(0, Math.floor(telegram.length * (0.2 + 0.6 * random())));
  const bytes = Buffer.from(telegram);
  if (fault === 'wrong-crc') turnCrc(bytes);
  else garble(bytes, random);
  return bytes;
}

/** The last digit is another one: as many digits as before. */
function turnCrc(bytes: Buffer): void {
  const digits = CRC_END.exec(bytes.toString('latin1'))?.[1];
  if (digits === undefined) return;
  const last = Number.parseInt(digits.slice(-1), 16) ^ 1;
  bytes.write(last.toString(16).toUpperCase(), bytes.length - '0\r\n'.length, 'latin1');
}

/** Between the first line and the last one: what it hits is read as a telegram with wrong bytes in it. */
function garble(bytes: Buffer, random: Random): void {
  const from = Math.min(40, bytes.length >> 2);
  const to = Math.max(from + 1, bytes.length - 16);
  const count = Math.max(1, Math.round((bytes.length * NOISY_BYTES_PER_THOUSAND) / 1_000));
  for (let hit = 0; hit < count; hit++) bytes[from + Math.floor((to - from) * random())]! ^= 0x15;
}
