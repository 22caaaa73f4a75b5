import { hsmError } from './errors.ts';
import type { TokenRequest } from './operations.ts';
import type { TokenPlace } from './session.ts';
import { answered, TokenThread } from './thread.ts';
import type { WorkerAnswer } from './wire.ts';

export interface PoolLimits {
  /** Sessions, a thread each. A token over a network works at several requests at once; one in this machine has its cores. */
  readonly threads: number;
  /** Operations that wait, beyond those under way; further ones are refused at once. */
  readonly queueMax: number;
  /** From the request to its answer. Below a router's own limit, so that the device hears of it in time. */
  readonly answerWithinMs: number;
}

export const POOL_LIMITS: PoolLimits = { threads: 2, queueMax: 4_000, answerWithinMs: 5_000 };

/** So many a thread has in hand: while it hands one answer over, the next is there. */
const UNDER_WAY_MAX = 4;
/** A thread that died is replaced after this; its module may have done it. */
const REPLACE_AFTER_MS = 1_000;

interface Waiting {
  readonly request: TokenRequest;
  settle(answer: WorkerAnswer | Error): void;
  over: boolean;
}

interface Lane {
  readonly thread: TokenThread;
  readonly underWay: Map<number, Waiting>;
}

/** A token for a process that must not wait: a few threads, a bounded queue, a deadline for each request. */
export class TokenPool {
  readonly #place: TokenPlace;
  readonly #limits: PoolLimits;
  readonly #lanes = new Set<Lane>();
  readonly #queue: Waiting[] = [];
  #closed = false;

  /** @throws ERR_HSM_MODULE where this process may start no thread */
  constructor(place: TokenPlace, limits: PoolLimits = POOL_LIMITS) {
    this.#place = place;
    this.#limits = limits;
    for (let at = 0; at < limits.threads; at += 1) this.#begin();
  }

  /** @throws ERR_HSM_BUSY, ERR_HSM_TIMEOUT, and what the token answers */
  ask(request: TokenRequest): Promise<Uint8Array<ArrayBuffer>> {
    const { queueMax, answerWithinMs } = this.#limits;
    if (this.#closed || this.#queue.length >= queueMax)
      return Promise.reject(hsmError('ERR_HSM_BUSY', 'too many operations wait for the token'));
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        request,
        over: false,
        settle(answer) {
          if (this.over) return void forget(answer);
          this.over = true;
          clearTimeout(timer);
          if (answer instanceof Error) return reject(answer);
          try {
            resolve(answered(answer));
          } catch (error) {
            reject(error);
          }
        },
      };
      const timer = setTimeout(() => {
        waiting.settle(hsmError('ERR_HSM_TIMEOUT', `the token did not answer within ${answerWithinMs} ms`));
      }, answerWithinMs);
      this.#queue.push(waiting);
      this.#hand();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const gone = hsmError('ERR_HSM_LOST', 'the token is let go');
    for (const waiting of this.#queue.splice(0)) waiting.settle(gone);
    const lanes = [...this.#lanes];
    this.#lanes.clear();
    for (const { underWay } of lanes) for (const waiting of underWay.values()) waiting.settle(gone);
    await Promise.all(lanes.map(({ thread }) => thread.end()));
  }

  #begin(): void {
    const lane: Lane = { thread: new TokenThread(this.#place), underWay: new Map() };
    const { thread, underWay } = lane;
    thread.port.on('message', (answer: WorkerAnswer) => {
      const waiting = underWay.get(answer.number);
      underWay.delete(answer.number);
      waiting?.settle(answer);
      this.#hand();
    });
    thread.port.unref();
    let cause: unknown;
    thread.worker.on('error', (error) => {
      cause = error;
    });
    thread.worker.on('exit', () => {
      if (!this.#lanes.delete(lane)) return;
      const died = hsmError('ERR_HSM_FAILED', 'the thread of the token has died', { cause });
      for (const waiting of underWay.values()) waiting.settle(died);
      setTimeout(() => {
        if (this.#closed) return;
        this.#begin();
        this.#hand();
      }, REPLACE_AFTER_MS).unref();
    });
    this.#lanes.add(lane);
  }

  #hand(): void {
    while (this.#queue.length > 0) {
      let lane: Lane | undefined;
      for (const candidate of this.#lanes)
        if (candidate.underWay.size < (lane?.underWay.size ?? UNDER_WAY_MAX)) lane = candidate;
      if (lane === undefined) return;
      const waiting = this.#queue.shift()!;
      if (!waiting.over) lane.underWay.set(lane.thread.post(waiting.request), waiting);
    }
  }
}

/** A secret that came too late. */
function forget(answer: WorkerAnswer | Error): void {
  if ('value' in answer) answer.value.fill(0);
}
