import { deskError } from '../errors.ts';
import type { StoredCommand } from '../store/port.ts';
import {
  EVENTS_KEPT_MAX,
  EVENTS_WAITING_MAX,
  SUBSCRIBERS_MAX,
  SUBSCRIBERS_PER_PERSON_MAX,
} from './limits.ts';

/** A change of a command, with its place among the changes of this run of the desk. */
export interface Change {
  readonly id: string;
  readonly command: StoredCommand;
}

interface Subscriber {
  readonly person: string;
  readonly waiting: Change[];
  wake: (() => void) | undefined;
  ended: boolean;
}

export interface Subscription {
  /** Changes that were missed cannot be given any more: whoever comes again has to look at the lists. */
  readonly gap: boolean;
  /** Ends with `end`, with the feed, or when its reader is too far behind. */
  readonly changes: AsyncIterable<Change>;
  end(): void;
}

/**
 * The changes of commands, once they are durable, to whoever watches. A reader that falls behind is let go, so that
 * what waits for readers is bounded and nobody else waits for one.
 */
export class ChangeFeed {
  readonly #subscribers = new Set<Subscriber>();
  readonly #kept: Change[] = [];
  readonly #run: string;
  #count = 0;
  #closed = false;

  /** @param run names this life of the desk: identifiers of another one say nothing here */
  constructor(run: string) {
    this.#run = run;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  publish(command: StoredCommand): void {
    this.#count++;
    const change = { id: `${this.#run}-${this.#count}`, command };
    this.#kept.push(change);
    if (this.#kept.length > EVENTS_KEPT_MAX) this.#kept.shift();
    for (const subscriber of this.#subscribers) {
      if (subscriber.waiting.length >= EVENTS_WAITING_MAX) this.#end(subscriber);
      else subscriber.waiting.push(change);
      subscriber.wake?.();
    }
  }

  /**
   * @param after the last change that the reader has seen, as it was named to it
   * @throws ERR_DESK_SUBSCRIBERS
   */
  subscribe(person: string, after?: string): Subscription {
    const own = [...this.#subscribers].filter((each) => each.person === person).length;
    if (this.#closed || this.#subscribers.size >= SUBSCRIBERS_MAX || own >= SUBSCRIBERS_PER_PERSON_MAX)
      throw deskError('ERR_DESK_SUBSCRIBERS', 'as many clients watch as the desk serves at once');
    const missed = after === undefined ? [] : this.#after(after);
    const subscriber: Subscriber = { person, waiting: [...(missed ?? [])], wake: undefined, ended: false };
    this.#subscribers.add(subscriber);
    const end = (): void => {
      this.#end(subscriber);
      subscriber.wake?.();
    };
    return { gap: missed === undefined, changes: read(subscriber), end };
  }

  close(): void {
    this.#closed = true;
    for (const subscriber of this.#subscribers) {
      this.#end(subscriber);
      subscriber.wake?.();
    }
  }

  #end(subscriber: Subscriber): void {
    subscriber.ended = true;
    this.#subscribers.delete(subscriber);
  }

  #after(id: string): readonly Change[] | undefined {
    if (id === `${this.#run}-${this.#count}`) return [];
    const at = this.#kept.findIndex((change) => change.id === id);
    return at < 0 ? undefined : this.#kept.slice(at + 1);
  }
}

async function* read(subscriber: Subscriber): AsyncGenerator<Change> {
  for (;;) {
    const next = subscriber.waiting.shift();
    if (next !== undefined) yield next;
    else if (subscriber.ended) return;
    else
      await new Promise<void>((resolve) => {
        subscriber.wake = resolve;
      });
  }
}
