import type { Medium, ObisCode, Unit } from '../../../protocol/reading.ts';

/** What a line means, which decides how it is read (`handlers.ts` has one reader for each). */
export type RowKind =
  | 'version'
  | 'clock'
  | 'serial'
  | 'plainSerial'
  | 'ean'
  | 'register'
  | 'instant'
  | 'monthPeak'
  | 'peakHistory'
  | 'tariff'
  | 'switch'
  | 'limiter'
  | 'fuse'
  | 'message'
  | 'messageCode'
  | 'counter'
  | 'failures'
  | 'grid'
  | 'deviceType'
  | 'reading'
  | 'legacyReading'
  | 'valve'
  | 'other'
  | 'mediumReading'
  | 'mediumValve';

export interface ObisRow {
  /** Its place in ROW_KINDS. */
  readonly index: number;
  readonly kind: RowKind;
  /** `C.D.E`. */
  readonly code: string;
  /** The medium digit A that it is known with: 0 abstract, 1 electricity. */
  readonly a: readonly number[];
  readonly what: string;
  /** The unit that a value must have; another one leaves the line unknown. */
  readonly unit: Unit | 'Hz' | '1' | null;
  /** `A-B:C.D.E`, made once per A and B and shared by all telegrams. */
  readonly names: (ObisCode | undefined)[];
}

const ELECTRICITY = [1];
const ABSTRACT = [0];
const rows: ObisRow[] = [];

function add(
  kind: RowKind,
  a: readonly number[],
  what: string,
  codes: string,
  unit: ObisRow['unit'] = null,
): void {
  for (const code of codes.split(' '))
    rows.push({ index: rows.length, kind, code, a, what, unit, names: [] });
}

// DSMR P1 5.0.2 §6.12, e-MUCS P1 2.1.1 §7, Luxembourg P1 1.1.3, and what meters were seen to print.
add('version', [1], 'version of the Dutch specification, on 1-3', '0.2.8');
add('version', ABSTRACT, 'version of the Belgian specification', '96.1.4');
add('clock', ABSTRACT, 'date and time of the telegram', '1.0.0');
add('serial', [0, 1], 'equipment identifier, of the meter or of an M-Bus device', '96.1.1 96.1.0');
add('serial', ABSTRACT, 'logical device name (Luxembourg)', '42.0.0');
add('plainSerial', [0, 1], 'meter number (EasyMeter, Sagemcom)', '0.0.0 96.1.255');
add('ean', ABSTRACT, 'EAN of the connection', '96.1.2');

add('register', ELECTRICITY, 'active energy import', '1.8.0 1.8.1 1.8.2 1.8.3 1.8.4', 'Wh');
add('register', ELECTRICITY, 'active energy export', '2.8.0 2.8.1 2.8.2 2.8.3 2.8.4', 'Wh');
add('register', ELECTRICITY, 'active energy, both directions', '15.8.0 16.8.0', 'Wh');
add('register', ELECTRICITY, 'reactive energy import', '3.8.0 3.8.1 3.8.2 3.8.3 3.8.4', 'varh');
add('register', ELECTRICITY, 'reactive energy export', '4.8.0 4.8.1 4.8.2 4.8.3 4.8.4', 'varh');
add('register', ELECTRICITY, 'reactive energy by quadrant', '5.8.0 6.8.0 7.8.0 8.8.0', 'varh');
add('register', ELECTRICITY, 'apparent energy', '9.8.0 10.8.0', 'VAh');

add('instant', ELECTRICITY, 'average import of the running quarter-hour', '1.4.0', 'W');
add('instant', ELECTRICITY, 'average export of the running quarter-hour', '2.4.0', 'W');
add('instant', ELECTRICITY, 'active power import', '1.7.0', 'W');
add('instant', ELECTRICITY, 'active power export', '2.7.0', 'W');
add('instant', ELECTRICITY, 'active power, both directions', '15.7.0 16.7.0', 'W');
add('instant', ELECTRICITY, 'active power import by phase', '21.7.0 41.7.0 61.7.0', 'W');
add('instant', ELECTRICITY, 'active power export by phase', '22.7.0 42.7.0 62.7.0', 'W');
add('instant', ELECTRICITY, 'reactive power import', '3.7.0', 'var');
add('instant', ELECTRICITY, 'reactive power export', '4.7.0', 'var');
add('instant', ELECTRICITY, 'reactive power by quadrant', '5.7.0 6.7.0 7.7.0 8.7.0', 'var');
add('instant', ELECTRICITY, 'reactive power import by phase', '23.7.0 43.7.0 63.7.0', 'var');
add('instant', ELECTRICITY, 'reactive power export by phase', '24.7.0 44.7.0 64.7.0', 'var');
add('instant', ELECTRICITY, 'apparent power', '9.7.0 10.7.0', 'VA');
add('instant', ELECTRICITY, 'voltage by phase', '32.7.0 52.7.0 72.7.0', 'V');
add('instant', ELECTRICITY, 'current by phase', '31.7.0 51.7.0 71.7.0', 'A');
add('instant', ELECTRICITY, 'current, sum and neutral', '11.7.0 90.7.0 91.7.0', 'A');
add('instant', ELECTRICITY, 'frequency', '14.7.0', 'Hz');
add('instant', ELECTRICITY, 'power factor', '13.7.0 33.7.0 53.7.0 73.7.0', '1');

add('monthPeak', ELECTRICITY, 'highest quarter-hour of the running month', '1.6.0', 'W');
add('peakHistory', [0, 1], 'highest quarter-hours of the last 13 months', '98.1.0', 'W');
add('tariff', ABSTRACT, 'active rate', '96.14.0');
add('switch', ABSTRACT, 'breaker on 0-0, relay on 0-1 to 0-4', '96.3.10');
add('limiter', ABSTRACT, 'power limiter', '17.0.0');
add('fuse', ELECTRICITY, 'fuse supervision', '31.4.0 51.4.0 71.4.0', 'A');
add('grid', ELECTRICITY, 'nominal voltage of the grid: 400, or 230 for a delta grid', '94.32.1');
add('message', ABSTRACT, 'message for the customer', '96.13.0 96.13.2 96.13.3 96.13.4 96.13.5');
add('messageCode', ABSTRACT, 'numeric message for the customer', '96.13.1');
add('counter', ABSTRACT, 'power failures, short and long', '96.7.21 96.7.9', '1');
add(
  'counter',
  ELECTRICITY,
  'voltage sags and swells by phase',
  '32.32.0 52.32.0 72.32.0 32.36.0 52.36.0 72.36.0',
  '1',
);
add('failures', ELECTRICITY, 'log of long power failures', '99.97.0');

add('deviceType', ABSTRACT, 'M-Bus device type', '24.1.0');
add('reading', ABSTRACT, 'M-Bus reading with its capture time', '24.2.0 24.2.1 24.2.2 24.2.3 24.2.4 24.2.5');
add('legacyReading', ABSTRACT, 'M-Bus reading of DSMR 2.2 and 3, its value on the next line', '24.3.0');
add('valve', ABSTRACT, 'valve or breaker of an M-Bus device', '24.4.0');

/** The whole table, for documentation and tests. */
export const OBIS_ROWS: readonly ObisRow[] = rows;

/** What a row is by its index: those of the table, and behind them the three that `obis-standard.ts` makes. */
export const ROW_KINDS: readonly RowKind[] = [
  ...rows.map(({ kind }) => kind),
  'other',
  'mediumReading',
  'mediumValve',
];

/**
 * Rows by a hash of C, D and E. Factor and size are chosen so that no two rows share a place, which is checked as
 * the table is filled: a new row that does asks for another odd factor. A look-up is one load and one comparison.
 */
const PLACE_BITS = 12;
const HASH_FACTOR = 0x9e3779b5;

function placeOf(key: number): number {
  return Math.imul(key, HASH_FACTOR) >>> (32 - PLACE_BITS);
}

/** C, D and E in one small integer. */
function keyOf(c: number, d: number, e: number): number {
  return (c << 16) | (d << 8) | e;
}

const KEYS = new Int32Array(1 << PLACE_BITS).fill(-1);
const ROWS_BY_PLACE: (ObisRow | undefined)[] = new Array<ObisRow | undefined>(1 << PLACE_BITS).fill(
  undefined,
);
for (const row of rows) {
  const [c, d, e] = row.code.split('.').map(Number) as [number, number, number];
  const key = keyOf(c, d, e);
  const other = ROWS_BY_PLACE[placeOf(key)];
  if (other !== undefined)
    throw new Error(`OBIS ${row.code} and ${other.code} share a place: change HASH_FACTOR`);
  KEYS[placeOf(key)] = key;
  ROWS_BY_PLACE[placeOf(key)] = row;
}

/** The row of a code, or undefined for one that is not known (with this A). */
export function findRow(a: number, c: number, d: number, e: number): ObisRow | undefined {
  const key = keyOf(c, d, e);
  const place = placeOf(key);
  if (KEYS[place] !== key) return undefined;
  const row = ROWS_BY_PLACE[place]!;
  return row.a[0] === a || row.a[1] === a ? row : undefined;
}

const CHANNELS_NAMED = 16;

export function obisName(row: ObisRow, a: number, b: number): ObisCode {
  if (b >= CHANNELS_NAMED) return `${a}-${b}:${row.code}` as ObisCode;
  const slot = a * CHANNELS_NAMED + b;
  const known = row.names[slot];
  if (known !== undefined) return known;
  const name = `${a}-${b}:${row.code}` as ObisCode;
  row.names[slot] = name;
  return name;
}

/**
 * M-Bus device types (EN 13757-3 table 4, as P1 prints them) that are a medium of ours. Cooling, air and
 * anything else stays in the telegram, without a medium, and is no reading.
 */
export const DEVICE_TYPES: Readonly<Record<number, Medium>> = {
  2: 'electricity',
  3: 'gas',
  4: 'heat',
  6: 'water',
  7: 'water',
  12: 'heat',
  13: 'heat',
  21: 'water',
  22: 'water',
};

/** A device type prints as decimal (`003`), and seen in hex from 10 up (`00C`). NTA 8130 has four channels. */
export const CHANNELS_MAX = 4;
