import type { LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { Snapshot } from '../../gateway/edge/source.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Outcome, Station } from './station.ts';

/** One index, by whose it is and the ordinal of the day that it closes. */
export interface IndexName {
  readonly owner: TenantId;
  readonly day: number;
}

export interface Settled extends IndexName {
  readonly outcome: Outcome;
}

export interface WakeOutcome {
  readonly settled: readonly Settled[];
  /** Why the wake ended early, as a stable code; null where it did not. */
  readonly failure: string | null;
}

/**
 * What the runner asks of an edge: `edges.ts` gives it the real one, tests one without a network. All of it survives
 * kill -9: what `closedThrough`, `waiting` and `parked` say is what the disk says.
 */
export interface EdgeHandle {
  /** The last closed day (ordinal) of an owner; undefined before the owner was first seen. */
  closedThrough(owner: TenantId): number | undefined;
  /** Closed, and without a receipt yet. */
  waiting(): readonly IndexName[];
  /** Refused by their owner: kept and not sent again. */
  parked(): readonly IndexName[];
  observe(snapshot: Snapshot): void;
  close(day: LocalDay): Promise<void>;
  wake(signal: AbortSignal): Promise<WakeOutcome>;
  /** Milliseconds until a wake is worth it; null while nothing waits. */
  nextWakeInMs(): number | null;
  release(): Promise<void>;
}

export type OpenEdge = (station: Station) => Promise<EdgeHandle>;
