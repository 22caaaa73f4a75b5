import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { ModbusMeterStatus } from '../modbus/source.ts';
import type { Snapshot } from '../source.ts';
import type { P1SourceStatus } from '../sources/source.ts';
import type { SourceTiming } from '../sources/timing.ts';
import type { MeteringTime } from './metering-time.ts';

export type SourceStatus =
  | ({
      readonly name: string;
      readonly kind: 'p1';
      /** The state in words. */
      readonly text: string;
    } & P1SourceStatus)
  | { readonly name: string; readonly kind: 'modbus'; readonly meters: readonly ModbusMeterStatus[] };

export interface SourceContext {
  readonly log: Log;
  readonly counters: Counters;
  readonly random: Random;
  readonly timing: SourceTiming;
  readonly time: MeteringTime;
}

/** A source of a device as the service sees it: where it is read from is over and done with here. */
export interface EdgeSource {
  readonly name: string;
  /** The channels that its configuration gives to its meters; null where the meters say it. */
  readonly channels: ReadonlySet<number> | null;
  /** A file or standard input: it has an end, and may have brought its own time. */
  readonly ends: boolean;
  readonly recorded: boolean;
  /** At its end: whether it left a day open, which is not over yet. */
  isUnfinished(): boolean;
  /** Until the signal is given, or its end. Trouble of a port or a meter is a state and no exception. */
  run(observe: (snapshot: Snapshot) => void, signal: AbortSignal): Promise<void>;
  status(): SourceStatus;
}
