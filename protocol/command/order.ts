import type { CounterName } from './row.ts';

/** A command that waits for a device, as far as its turn depends on it. */
export interface Waiting {
  /** Of the row; the lowest goes first. */
  readonly priority: number;
  /** Whoever signed first. */
  readonly signer: string;
  readonly counterName: CounterName;
  readonly counter: number;
}

/**
 * Which of the commands that wait for one device goes next; undefined where none waits.
 *
 * The one of the highest priority, and of those the oldest, but before it whatever its signer signed earlier about
 * the same thing: once the later one was accepted, a device would refuse the earlier for its counter.
 */
export function nextToSend<W extends Waiting>(waiting: readonly W[]): W | undefined {
  const first = (left: W, right: W): number => left.priority - right.priority || left.counter - right.counter;
  const [urgent] = [...waiting].sort(first);
  return waiting
    .filter(({ signer, counterName }) => signer === urgent?.signer && counterName === urgent.counterName)
    .reduce<W | undefined>(
      (earliest, next) => (earliest === undefined || next.counter < earliest.counter ? next : earliest),
      undefined,
    );
}
