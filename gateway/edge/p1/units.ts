import type { Unit } from '../../../protocol/reading.ts';

/** Units that P1 prints: those of registers, and three that never leave the telegram. */
export type P1Unit = Unit | 'Hz' | 's' | '1';

export interface UnitRow {
  /** How it is written, in the one spelling that we write it in. */
  readonly printed: string;
  readonly unit: P1Unit;
  /** The prefix: kWh is 10^3 Wh. */
  readonly exponent: number;
}

type Spellings = readonly [unit: P1Unit, exponent: number, printed: string, ...others: string[]];

/**
 * Every spelling seen on a P1 port. Kamstrup writes `kVArh`; `m³` comes as Latin-1 and as UTF-8, which read
 * byte by byte is `mÂ³`. A unit that is not here leaves its line unknown: guessing a prefix is off by 1000.
 */
const SPELLINGS: readonly Spellings[] = [
  ['Wh', 0, 'Wh', 'WH', 'wh'],
  ['Wh', 3, 'kWh', 'KWh', 'KWH', 'kwh'],
  ['Wh', 6, 'MWh', 'MWH'],
  ['varh', 0, 'varh', 'VArh', 'VARh', 'Varh'],
  ['varh', 3, 'kvarh', 'kVArh', 'kVARh', 'kVarh', 'KVARh', 'KVARH'],
  ['VAh', 0, 'VAh'],
  ['VAh', 3, 'kVAh', 'KVAh'],
  ['W', 0, 'W'],
  ['W', 3, 'kW', 'KW', 'kw'],
  ['W', 6, 'MW'],
  ['var', 0, 'var', 'VAr', 'VAR', 'Var'],
  ['var', 3, 'kvar', 'kVAr', 'kVAR', 'kVar', 'KVAR'],
  ['VA', 0, 'VA'],
  ['VA', 3, 'kVA', 'KVA'],
  ['V', 0, 'V', 'v'],
  ['A', 0, 'A', 'a'],
  ['A', -3, 'mA'],
  ['m3', 0, 'm3', 'M3', 'm\u00b3', 'm\u00c2\u00b3'],
  ['m3', -3, 'dm3', 'l', 'L'],
  ['J', 0, 'J'],
  ['J', 6, 'MJ'],
  ['J', 9, 'GJ', 'Gj'],
  ['Hz', 0, 'Hz', 'HZ'],
  ['s', 0, 's', 'S'],
];

interface Entry {
  readonly bytes: Uint8Array;
  readonly row: UnitRow;
}

const BY_HASH = new Map<number, Entry>();
for (const [unit, exponent, printed, ...others] of SPELLINGS) {
  const row: UnitRow = { printed, unit, exponent };
  for (const spelling of [printed, ...others]) {
    const bytes = Buffer.from(spelling, 'latin1');
    BY_HASH.set(hash(bytes, 0, bytes.length), { bytes, row });
  }
}

let last: Entry = BY_HASH.values().next().value!;

/** A plain number: a counter, a power factor. */
export const NO_UNIT: UnitRow = { printed: '', unit: '1', exponent: 0 };

function hash(bytes: Uint8Array, from: number, to: number): number {
  let sum = to - from;
  for (let index = from; index < to; index += 1) sum = (Math.imul(sum, 31) + bytes[index]!) & 0x3fffffff;
  return sum;
}

/** The unit written in `bytes[from, to)`, or undefined where nobody is known to write it so. */
export function findUnit(bytes: Uint8Array, from: number, to: number): UnitRow | undefined {
  // Lines of one unit stand together: the last one is tried first.
  if (isWritten(last, bytes, from, to)) return last.row;
  const entry = BY_HASH.get(hash(bytes, from, to));
  if (entry === undefined || !isWritten(entry, bytes, from, to)) return undefined;
  last = entry;
  return entry.row;
}

function isWritten(entry: Entry, bytes: Uint8Array, from: number, to: number): boolean {
  const spelling = entry.bytes;
  if (spelling.length !== to - from) return false;
  for (let index = 0; index < spelling.length; index += 1)
    if (spelling[index] !== bytes[from + index]) return false;
  return true;
}

const EXPONENTS = new Map(SPELLINGS.map(([, exponent, printed]) => [printed, exponent]));

/** The prefix of a unit in our spelling: 3 for `kWh`, 0 for what has none. */
export function unitExponent(printed: string): number {
  return EXPONENTS.get(printed) ?? 0;
}
