import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { RouterConfig } from '../config.ts';
import type { RecordVerdict } from './answer.ts';
import { type Breaker, CLOSED, onFailure, onRequest, onSuccess, permits } from './breaker.ts';
import type { MdmClient, PostResult } from './client.ts';
import { type Entry, EntryQueue } from './queue.ts';
import type { Delivery, LaterReason, MdmSink } from './sink.ts';

export interface BatchingSinkParts {
  readonly config: RouterConfig['mdm'];
  readonly client: MdmClient;
  readonly counters: Counters;
  readonly log: Log;
  readonly random: Random;
  /** Monotonic milliseconds: delays must not jump when somebody sets the clock. */
  readonly now: () => number;
}

/**
 * Gathers records into requests, and turns whatever the MDM does into one answer per record, in time.
 *
 * - An idle MDM is asked a few milliseconds after the first record came, so that readings that come close together
 *   leave together; a busy one gets a batch when it is full, has lingered, or a request came back.
 * - A record is tried again, with full jitter, within its own deadline; then the device is told `later`.
 * - While the breaker is open nothing waits here: what is there and what comes is told `later` at once.
 * - At most `queueMax` records are held, waiting, under way and between attempts together.
 */
export class BatchingSink implements MdmSink {
  readonly #parts: BatchingSinkParts;
  readonly #queue = new EntryQueue();
  readonly #held = new Set<Entry>();
  #closing = false;
  #breaker: Breaker = CLOSED;
  #inFlight = 0;
  #gather: NodeJS.Timeout | undefined;
  #linger: NodeJS.Timeout | undefined;

  constructor(parts: BatchingSinkParts) {
    this.#parts = parts;
    parts.counters.gauge('mdm.held', () => this.#held.size);
    parts.counters.gauge('mdm.breakerOpen', () => (this.#breaker.state === 'closed' ? 0 : 1));
  }

  deliver(record: { key: string; body: Buffer }, withinMs: number): Promise<Delivery> {
    const nowMs = this.#parts.now();
    const refusal = this.#refusal(nowMs);
    if (refusal !== undefined) return Promise.resolve(this.#later(refusal));
    return new Promise((resolve) => {
      const expiry = setTimeout(() => entry.settle(this.#later('deadline')), withinMs);
      const entry: Entry = {
        record,
        bytes: record.body.length,
        deadlineMs: nowMs + withinMs,
        attempts: 0,
        alone: false,
        settle: (delivery) => {
          if (!this.#held.delete(entry)) return;
          clearTimeout(expiry);
          entry.record = undefined;
          resolve(delivery);
        },
      };
      this.#held.add(entry);
      this.#enqueue([entry]);
    });
  }

  /** Records still here are told `later`: their devices send them again, to whoever serves then. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#settleAll('closing');
    clearTimeout(this.#gather);
    clearTimeout(this.#linger);
    await this.#parts.client.close();
  }

  #refusal(nowMs: number): LaterReason | undefined {
    if (this.#closing) return 'closing';
    if (!permits(this.#breaker, nowMs)) return 'away';
    return this.#held.size >= this.#parts.config.queueMax ? 'full' : undefined;
  }

  #enqueue(entries: readonly Entry[]): void {
    this.#queue.push(...entries);
    if (this.#queue.length >= this.#parts.config.batch.recordsMax) this.#pump(false);
    else
      this.#gather ??= setTimeout(() => {
        this.#gather = undefined;
        this.#pump(false);
      }, this.#parts.config.batch.gatherMs);
  }

  #pump(lingered: boolean): void {
    const { batch, inFlightMax } = this.#parts.config;
    let due = lingered;
    while (this.#queue.length > 0 && this.#inFlight < inFlightMax) {
      if (!due && this.#inFlight > 0 && this.#queue.length < batch.recordsMax) {
        this.#lingerOn();
        return;
      }
      due = false;
      const entries = this.#queue.takeBatch(batch);
      if (entries.length > 0) this.#send(entries);
    }
  }

  #lingerOn(): void {
    this.#linger ??= setTimeout(() => {
      this.#linger = undefined;
      this.#pump(true);
    }, this.#parts.config.batch.lingerMs);
  }

  #send(entries: readonly Entry[]): void {
    if (!permits(this.#breaker, this.#parts.now())) {
      this.#settleEach(entries, 'away');
      return;
    }
    this.#breaker = onRequest(this.#breaker);
    this.#inFlight++;
    this.#parts.counters.count('mdm.requests');
    this.#parts.counters.count('mdm.records', entries.length);
    void this.#request(entries).then((result) => {
      this.#inFlight--;
      this.#conclude(entries, result);
      this.#pump(false);
    });
  }

  async #request(entries: readonly Entry[]): Promise<PostResult> {
    const records = entries.flatMap(({ record }) => (record === undefined ? [] : [record]));
    return await this.#parts.client.post(records);
  }

  #conclude(entries: readonly Entry[], result: PostResult): void {
    if (result.kind === 'failed') this.#fail(entries, result.why, result.retryAfterMs);
    else {
      this.#succeed();
      if (result.kind === 'unprocessable') this.#separate(entries);
      else this.#judge(entries, result.verdicts);
    }
  }

  #judge(entries: readonly Entry[], verdicts: ReadonlyMap<string, RecordVerdict>): void {
    const unanswered: Entry[] = [];
    for (const entry of entries) {
      if (entry.record === undefined) continue;
      const delivery = this.#deliveryOf(verdicts.get(entry.record.key));
      if (delivery === undefined) unanswered.push(entry);
      else entry.settle(delivery);
    }
    this.#retry(unanswered, 0);
  }

  /** @returns undefined where the MDM said nothing about the record that would end it. */
  #deliveryOf(verdict: RecordVerdict | undefined): Delivery | undefined {
    if (verdict === undefined) {
      this.#parts.counters.count('mdm.unanswered');
      return undefined;
    }
    switch (verdict.verdict) {
      case 'rejected':
        return { outcome: 'rejected', code: verdict.code };
      case 'retry':
        return verdict.seconds === null ? undefined : this.#later('retry', verdict.seconds);
      default:
        return { outcome: verdict.verdict };
    }
  }

  #fail(entries: readonly Entry[], why: string, retryAfterMs: number): void {
    const { config, counters, log, now, random } = this.#parts;
    if (this.#closing) return;
    counters.count(`mdm.failed.${why}`);
    const before = this.#breaker.state;
    this.#breaker = onFailure(this.#breaker, now(), config.breaker, random);
    if (this.#breaker.state === 'open') {
      if (before === 'closed') log.warn({ why }, 'the MDM does not answer: readings are told to come later');
      this.#settleAll('away');
    } else this.#retry(entries, retryAfterMs);
  }

  #succeed(): void {
    if (this.#breaker.state !== 'closed') this.#parts.log.info('the MDM answers again');
    this.#breaker = onSuccess();
  }

  /** One record that the MDM cannot read must not hold up those that shared its request. */
  #separate(entries: readonly Entry[]): void {
    this.#parts.counters.count('mdm.unprocessable');
    if (entries.length === 1) this.#settleEach(entries, 'unprocessable');
    else {
      for (const entry of entries) entry.alone = true;
      this.#enqueue(entries);
    }
  }

  #retry(entries: readonly Entry[], waitMs: number): void {
    const { config, counters, now, random } = this.#parts;
    const again: Entry[] = [];
    let delayMs = waitMs;
    for (const entry of entries) {
      if (entry.record === undefined) continue;
      const ceilingMs = Math.min(config.retry.maxMs, config.retry.baseMs * 2 ** entry.attempts);
      delayMs = Math.max(delayMs, waitMs + random() * ceilingMs);
      entry.attempts++;
      if (entry.attempts >= config.retry.attemptsMax || now() + delayMs >= entry.deadlineMs)
        entry.settle(this.#later('away'));
      else again.push(entry);
    }
    if (again.length === 0) return;
    counters.count('mdm.retried', again.length);
    setTimeout(() => this.#enqueue(again), delayMs).unref();
  }

  #settleAll(why: LaterReason): void {
    this.#queue.drain();
    this.#settleEach([...this.#held], why);
  }

  #settleEach(entries: readonly Entry[], why: LaterReason): void {
    for (const entry of entries) entry.settle(this.#later(why));
  }

  #later(why: LaterReason, atLeastSeconds = 0): Delivery {
    this.#parts.counters.count(`later.${why}`);
    return { outcome: 'later', why, atLeastSeconds };
  }
}
