import type { Random } from '../../runtime/random.ts';

/**
 * Whether the MDM is worth asking. After `failuresMax` failed requests in a row nobody asks (`open`) for a
 * while, then one request is the probe (`half-open`): it closes the breaker or opens it for twice as long.
 * A plain value and pure steps; whoever holds it passes the time in.
 */
export type Breaker =
  | { readonly state: 'closed'; readonly failures: number }
  | { readonly state: 'open'; readonly untilMs: number; readonly trips: number }
  | { readonly state: 'half-open'; readonly trips: number };

export interface BreakerOptions {
  readonly failuresMax: number;
  /** How long it stays open the first time; doubled at every probe that fails, up to `openMsMax`. */
  readonly openMs: number;
  readonly openMsMax: number;
}

export const CLOSED: Breaker = { state: 'closed', failures: 0 };

/** Would a request be let through now? */
export function permits(breaker: Breaker, nowMs: number): boolean {
  return breaker.state === 'closed' || (breaker.state === 'open' && nowMs >= breaker.untilMs);
}

/** A request that was let through begins; the first one after an opening is the probe. */
export function onRequest(breaker: Breaker): Breaker {
  return breaker.state === 'open' ? { state: 'half-open', trips: breaker.trips } : breaker;
}

/** The MDM answered: it is there, whatever it said about the records. */
export function onSuccess(): Breaker {
  return CLOSED;
}

export function onFailure(breaker: Breaker, nowMs: number, options: BreakerOptions, random: Random): Breaker {
  if (breaker.state === 'open') return breaker;
  if (breaker.state === 'closed' && breaker.failures + 1 < options.failuresMax)
    return { state: 'closed', failures: breaker.failures + 1 };
  const trips = breaker.state === 'half-open' ? breaker.trips + 1 : 1;
  const ceilingMs = Math.min(options.openMsMax, options.openMs * 2 ** Math.min(trips - 1, 30));
  // Between half and all of it: the routers of one tenant lost the same MDM at the same moment.
  return { state: 'open', untilMs: nowMs + ceilingMs * (0.5 + random() / 2), trips };
}
