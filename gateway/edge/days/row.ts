import type { Medium, ObisCode, Register, Unit } from '../../../protocol/reading.ts';
import { type LocalDay, QUARTER_SECONDS, QUARTERS_MAX } from './calendar.ts';
import { increaseMax, rescale, SAMPLE_TOLERANCE_SECONDS } from './quality.ts';

/** Not sampled. Outside of what `store` puts in. */
export const MISSING = -0x8000_0000;

const OFFSET_MAX = 0x7fff_ffff;

/** Whole steps, of 32 bits or of 53. */
type Slots = Int32Array | Float64Array;

/** The last value that was sampled before the day began, for the first period and for falls and jumps. */
export interface Carry {
  readonly time: number;
  readonly value: number;
}

/**
 * The samples of one register over one day. A process may hold 10,000 devices, so a day is one array of 32-bit
 * offsets from the first value (388 bytes a register), not a list of objects. Registers of finer steps, of which a
 * day may count more than 2^31, have wider slots: an eBZ prints eight decimals of a kWh.
 *
 * Slot `n` is the sample for the boundary that begins quarter-hour `n`; the last slot is the midnight that ends
 * the day. A register with capture times of its own (M-Bus) also keeps how many seconds after the boundary.
 */
export interface Row {
  readonly obis: ObisCode;
  readonly unit: Unit;
  readonly scaler: number;
  readonly increaseMax: number;
  readonly start: number;
  /** Offsets from `base`, MISSING where nothing was sampled. */
  readonly values: Slots;
  /** Per slot the seconds after its boundary; null for a register that is sampled with the edge's own clock. */
  readonly seconds: Int16Array | null;
  /** Moved to where a register stands that fell by more than a slot holds, while there is no sample yet. */
  base: number;
  readonly carry: Carry | null;
}

/** A row for a register that is worth a profile, or undefined: power and voltage have none. */
export function newRow(medium: Medium, register: Register, day: LocalDay): Row | undefined {
  const limit = increaseMax(medium, register.unit, register.scaler);
  if (limit === undefined) return undefined;
  const { obis, unit, scaler, value } = register;
  return {
    ...emptySlots(day, register.time !== null, limit),
    obis,
    unit,
    scaler,
    increaseMax: limit,
    base: value,
    carry: null,
  };
}

/** The row of the same register for another day. It knows where the register stood. */
export function followingRow(row: Row, day: LocalDay): Row {
  const carry = lastSample(row) ?? row.carry;
  return {
    ...row,
    ...emptySlots(day, row.seconds !== null, row.increaseMax),
    base: carry?.value ?? row.base,
    carry,
  };
}

/** The row as it was before a restart, without its samples: the limits are the code's, not the file's. */
export function restoredRow(
  medium: Medium,
  day: LocalDay,
  row: Pick<Row, 'obis' | 'unit' | 'scaler' | 'base' | 'carry'> & { readonly timed: boolean },
): Row | undefined {
  const { obis, unit, scaler, base, carry, timed } = row;
  const limit = increaseMax(medium, unit, scaler);
  if (limit === undefined) return undefined;
  return { ...emptySlots(day, timed, limit), obis, unit, scaler, increaseMax: limit, base, carry };
}

function emptySlots(day: LocalDay, timed: boolean, limit: number): Pick<Row, 'start' | 'values' | 'seconds'> {
  const slots = day.quarters + 1;
  const values = limit * QUARTERS_MAX > OFFSET_MAX ? new Float64Array(slots) : new Int32Array(slots);
  return {
    start: day.start,
    values: values.fill(MISSING),
    seconds: timed ? new Int16Array(slots) : null,
  };
}

/** Keep a register as the sample of a boundary; the first one stays. True when it was kept. */
export function sampleBoundary(row: Row, slot: number, register: Register): boolean {
  return row.seconds === null && store(row, slot, register, 0);
}

/**
 * The clock was set back: what it had put behind that moment was sampled at other moments, and comes again.
 * Captures have times of their own.
 */
export function forgetAfter(row: Row, epochSeconds: number): void {
  if (row.seconds !== null) return;
  row.values.fill(MISSING, Math.max(0, Math.floor((epochSeconds - row.start) / QUARTER_SECONDS) + 1));
}

/** Keep a register that was captured at its own time, in the slot of that time; the first of a quarter-hour stays. */
export function sampleCapture(row: Row, register: Register): boolean {
  if (row.seconds === null || register.time === null) return false;
  const since = register.time.epochSeconds - row.start;
  const slot = Math.floor((since + SAMPLE_TOLERANCE_SECONDS) / QUARTER_SECONDS);
  // The end of the day belongs to it only as a boundary; a capture well after midnight is the next day's.
  if (slot === row.values.length - 1 && since > slot * QUARTER_SECONDS + SAMPLE_TOLERANCE_SECONDS)
    return false;
  return store(row, slot, register, since - slot * QUARTER_SECONDS);
}

function store(row: Row, slot: number, register: Register, seconds: number): boolean {
  if (slot < 0 || slot >= row.values.length || row.values[slot] !== MISSING) return false;
  const value = rescale(register.value, register.scaler, row.scaler);
  // A value that cannot be said in the steps of this day, or lies 2^31 steps away, is a gap rather than a guess.
  if (value === null) return false;
  if (Math.abs(value - row.base) > offsetMax(row)) {
    if (hasSamples(row)) return false;
    row.base = value;
  }
  row.values[slot] = value - row.base;
  if (row.seconds !== null) row.seconds[slot] = seconds;
  return true;
}

function offsetMax({ values }: Row): number {
  return values instanceof Float64Array ? Number.MAX_SAFE_INTEGER : OFFSET_MAX;
}

export function hasSamples({ values }: Row): boolean {
  return values.some((offset) => offset !== MISSING);
}

/** The register at a slot, or null. */
export function sampleAt(row: Row, slot: number): number | null {
  const offset = row.values[slot];
  return offset === undefined || offset === MISSING ? null : row.base + offset;
}

function lastSample(row: Row): Carry | null {
  // The last slot of a captured register is the next day's first: it must not be taken for the one before.
  for (let slot = row.values.length - (row.seconds === null ? 1 : 2); slot >= 0; slot--) {
    const value = sampleAt(row, slot);
    if (value !== null)
      return { time: row.start + slot * QUARTER_SECONDS + (row.seconds?.[slot] ?? 0), value };
  }
  return null;
}
