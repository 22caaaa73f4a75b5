import type { MeterEvent } from '../../gateway/edge/operations/events.ts';
import type { MeterView } from '../../gateway/edge/operations/view.ts';

/**
 * A meter has one button for everything. Where the arrow blinks it closes what is ready, the breaker first; otherwise
 * it leads to the next screen. A valve of gas wants it held (rules of the operators), so does nothing shorter.
 */
export function buttonEvent(view: MeterView, heldMs: number): MeterEvent {
  if (view.breaker === 2) return { kind: 'button', channel: 0, heldMs };
  const ready = view.valves.find(({ position, testing }) => position === 2 && !testing);
  return ready !== undefined && (heldMs >= HOLD_MS || view.breaker === null)
    ? { kind: 'button', channel: ready.channel, heldMs }
    : { kind: 'next-screen' };
}

/** A press, and one that is held (rules of the operators: 3 s). */
export const PRESS_MS = 100;
export const HOLD_MS = 3_000;
