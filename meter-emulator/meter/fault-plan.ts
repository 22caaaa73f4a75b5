import { HesError } from '../../protocol/errors.ts';
import type { EmulatedMeterErrorCode } from './errors.ts';
import type { FaultAmount, MeterFaults } from './fault-box.ts';
import { isTelegramFault, METER_FAULTS, type MeterFault, type TelegramFault } from './faults.ts';

/**
 * A fault that was ordered beforehand: `KIND[:AMOUNT][@START[/EVERY]]`.
 *
 * AMOUNT is a duration (`20s`, `500ms`, `2m`), a number of telegrams (`3`) or, with a point, a share of all telegrams
 * (`0.05`); START is counted from the start of the meter, EVERY repeats it.
 */
export interface PlannedFault {
  readonly fault: MeterFault;
  readonly amount: FaultAmount;
  /** In place of an amount. */
  readonly share: number | null;
  readonly startMs: number;
  readonly everyMs: number | null;
}

const FORM = /^([a-z-]+)(?::([0-9.a-z]+))?(?:@([0-9.a-z]+)(?:\/([0-9.a-z]+))?)?$/;

/** @throws ERR_EMULATED_METER_FAULT with what is wrong and what would be right */
export function parseFault(text: string): PlannedFault {
  const found = FORM.exec(text);
  if (found === null) throw refused(text, 'its form is KIND[:AMOUNT][@START[/EVERY]]');
  const [, kind, amount, start, every] = found;
  if (!(kind! in METER_FAULTS))
    throw refused(text, `a kind is one of ${Object.keys(METER_FAULTS).join(', ')}`);
  const fault = kind as MeterFault;
  const everyMs = every === undefined ? null : durationMs(every);
  const startMs = start === undefined ? 0 : durationMs(start);
  if (startMs === null || (every !== undefined && everyMs === null)) throw refused(text, DURATIONS);
  if (everyMs !== null && everyMs < EVERY_MS_MIN) throw refused(text, 'it repeats once a second at most');
  const planned = { fault, startMs, everyMs, amount: {}, share: null };
  if (amount === undefined) return planned;
  const ms = durationMs(amount);
  if (ms !== null) {
    if (METER_FAULTS[fault].usualMs === null)
      throw refused(text, `${fault} has a number or a share, no duration`);
    return { ...planned, amount: { ms } };
  }
  if (!isTelegramFault(fault)) throw refused(text, `${fault} has a duration. ${DURATIONS}`);
  if (/^\d{1,6}$/.test(amount) && Number(amount) > 0)
    return { ...planned, amount: { telegrams: Number(amount) } };
  const share = /^\d\.\d{1,6}$/.test(amount) ? Number(amount) : Number.NaN;
  if (!(share > 0 && share <= 1) || everyMs !== null)
    throw refused(text, 'an amount is a duration (20s), a number of telegrams (3) or a share (0.05)');
  return { ...planned, share };
}

const DURATIONS = 'A time is 500ms, 20s, 2m or 1h';
const EVERY_MS_MIN = 1_000;
const MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
/** Timers of Node hold 31 bits of milliseconds; a week is enough for anybody. */
const DURATION_MS_MAX = 7 * 24 * MS.h;

function durationMs(text: string): number | null {
  const found = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text);
  if (found === null) return null;
  const ms = Number(found[1]) * MS[found[2] as keyof typeof MS];
  return ms <= DURATION_MS_MAX ? ms : null;
}

function refused(text: string, why: string): HesError {
  return new HesError(
    'ERR_EMULATED_METER_FAULT' satisfies EmulatedMeterErrorCode,
    `the fault ${text} is not understood: ${why}`,
  );
}

/** Lets the planned faults happen; the answer ends that. */
export function scheduleFaults(faults: MeterFaults, plans: readonly PlannedFault[]): () => void {
  const timers = new Set<NodeJS.Timeout>();
  const after = (ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms);
    timers.add(timer);
  };
  const begin = (plan: PlannedFault): void => {
    if (plan.share === null) faults.begin(plan.fault, plan.amount);
    else faults.share(plan.fault as TelegramFault, plan.share);
    if (plan.everyMs !== null) after(plan.everyMs, () => begin(plan));
  };
  for (const plan of plans)
    if (plan.startMs === 0) begin(plan);
    else after(plan.startMs, () => begin(plan));
  return () => {
    for (const timer of timers) clearTimeout(timer);
  };
}
