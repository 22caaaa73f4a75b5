import { type Profile, QUALITY, type Register } from '../../../protocol/reading.ts';
import { QUARTER_SECONDS } from './calendar.ts';
import { rescale, SAMPLE_TOLERANCE_SECONDS } from './quality.ts';
import { type Row, sampleAt } from './row.ts';

/** Two captures show a period; fewer leave it open, and a profile of unknown period says nothing. */
const CAPTURES_MIN = 2;

/** A captured register comes every quarter, half or whole hour; what comes less often is shown by the hour, with gaps. */
const CAPTURE_PERIODS_QUARTERS = [4, 2, 1];

export interface RowResult {
  readonly profile: Profile | null;
  /** Bits of QUALITY: profileGap, registerFell, registerJumped. */
  readonly flags: number;
}

/**
 * The load profile of one register: increments between consecutive samples. What was not sampled, or fell, or
 * rose more than a connection can pass, is null and flagged; nothing is spread over a gap.
 */
export function buildProfile(row: Row): RowResult {
  const grid = row.seconds === null ? BOUNDARIES : captureGrid(row, row.seconds);
  if (grid === undefined)
    return { profile: null, flags: QUALITY.profileGap | checkOrder(row, allSlots(row)) };
  const slots = gridSlots(row, grid);
  const values = slots.map((slot) => valueOnGrid(row, grid, slot));
  // Periods that are not cut at midnight are those that end in the day: the last one of yesterday's runs into it.
  const first = grid.aligned ? values.shift() : carriedValue(row, grid, slots[0]!);
  let flags = checkOrder(row, slots);
  let before = first ?? null;
  const limit = row.increaseMax * grid.step;
  const deltas = values.map((value) => {
    const delta = value === null || before === null ? null : value - before;
    before = value;
    if (delta === null || delta < 0 || delta > limit) {
      flags |= QUALITY.profileGap;
      return null;
    }
    return delta;
  });
  const startSlot = grid.aligned ? 0 : slots[0]! - grid.step;
  const start = row.start + startSlot * QUARTER_SECONDS + grid.phase;
  const { obis, scaler, unit } = row;
  const periodSeconds = grid.step * QUARTER_SECONDS;
  return { profile: { obis, scaler, unit, start, periodSeconds, deltas }, flags };
}

/** Whether the register that closes the day stands below, or far above, the last sample before it. */
export function checkClosing(row: Row, register: Register, atSeconds: number): number {
  const value = rescale(register.value, register.scaler, row.scaler);
  if (value === null) return 0;
  // A captured register stands for its own time; a later capture may have come in since.
  const quarters = ((register.time?.epochSeconds ?? atSeconds) - row.start) / QUARTER_SECONDS;
  for (let slot = Math.min(row.values.length - 1, Math.floor(quarters)); slot >= 0; slot--) {
    const before = sampleAt(row, slot);
    if (before !== null) return compare(row, value - before, quarters - slot);
  }
  if (row.carry === null) return 0;
  return compare(row, value - row.carry.value, quarters - (row.carry.time - row.start) / QUARTER_SECONDS);
}

interface Grid {
  /** Quarter-hours between samples. */
  readonly step: number;
  /** The first slot of the grid, below `step`. */
  readonly offset: number;
  /** Seconds after the quarter-hour at which the register captures. */
  readonly phase: number;
  /** On the quarter-hours from midnight to midnight. */
  readonly aligned: boolean;
}

const BOUNDARIES: Grid = { step: 1, offset: 0, phase: 0, aligned: true };

/** Find at which times an M-Bus meter captures, from the captures themselves. */
function captureGrid(row: Row, seconds: Int16Array): Grid | undefined {
  const slots = allSlots(row).filter((slot) => sampleAt(row, slot) !== null);
  const [first] = slots;
  if (first === undefined || slots.length < CAPTURES_MIN) return undefined;
  const step = CAPTURE_PERIODS_QUARTERS.find((quarters) =>
    slots.every((slot) => (slot - first) % quarters === 0),
  )!;
  const phase = seconds[first]!;
  const onQuarter = Math.abs(phase) <= SAMPLE_TOLERANCE_SECONDS;
  const offset = first % step;
  const aligned = onQuarter && offset === 0;
  return { step, offset, phase: onQuarter ? 0 : phase, aligned };
}

/** Every slot of a row; the closing midnight is among them. */
function allSlots(row: Row): number[] {
  return Array.from(row.values, (_, slot) => slot);
}

function gridSlots(row: Row, grid: Grid): number[] {
  const last = row.values.length - (grid.aligned ? 1 : 2);
  const slots: number[] = [];
  for (let slot = grid.offset; slot <= last; slot += grid.step) slots.push(slot);
  return slots;
}

function valueOnGrid(row: Row, grid: Grid, slot: number): number | null {
  const seconds = row.seconds?.[slot] ?? 0;
  return Math.abs(seconds - grid.phase) <= SAMPLE_TOLERANCE_SECONDS ? sampleAt(row, slot) : null;
}

function carriedValue(row: Row, grid: Grid, firstSlot: number): number | null {
  if (row.carry === null) return null;
  const expected = row.start + (firstSlot - grid.step) * QUARTER_SECONDS + grid.phase;
  return Math.abs(row.carry.time - expected) <= SAMPLE_TOLERANCE_SECONDS ? row.carry.value : null;
}

/** Falls and jumps between samples that follow each other, also across gaps. */
function checkOrder(row: Row, slots: readonly number[]): number {
  let flags = 0;
  let before = row.carry?.value ?? null;
  let beforeSlot = row.carry === null ? 0 : (row.carry.time - row.start) / QUARTER_SECONDS;
  for (const slot of slots) {
    const value = sampleAt(row, slot);
    if (value === null) continue;
    if (before !== null) flags |= compare(row, value - before, slot - beforeSlot);
    before = value;
    beforeSlot = slot;
  }
  return flags;
}

function compare(row: Row, delta: number, quarters: number): number {
  if (delta < 0) return QUALITY.registerFell;
  return delta > row.increaseMax * Math.max(1, Math.ceil(quarters)) ? QUALITY.registerJumped : 0;
}
