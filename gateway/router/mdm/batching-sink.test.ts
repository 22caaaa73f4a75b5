import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { routerConfig } from '../config.ts';
import type { RecordVerdict } from './answer.ts';
import { BatchingSink } from './batching-sink.ts';
import type { MdmClient, PostResult } from './client.ts';
import type { MdmRecord } from './sink.ts';

const { mdm } = routerConfig.shape;
const config = ({ batch = {}, ...change }: { readonly batch?: object } = {}) =>
  mdm.parse({
    url: 'http://127.0.0.1:1/',
    breaker: { failuresMax: 3, openMs: 1_000 },
    batch: { gatherMs: 0, ...batch },
    ...change,
  });

const record = (sequence: number, bytes = 100): MdmRecord => ({
  key: `0123456789abcdef/ores/${sequence}`,
  body: Buffer.alloc(bytes, 0x20),
});

/** A client whose requests wait until the test answers them. */
class HeldClient implements MdmClient {
  readonly requests: { records: readonly MdmRecord[]; answer: (result: PostResult) => void }[] = [];

  post(records: readonly MdmRecord[]): Promise<PostResult> {
    return new Promise((answer) => this.requests.push({ records, answer }));
  }

  close(): Promise<void> {
    for (const { answer } of this.requests) answer({ kind: 'failed', why: 'network', retryAfterMs: 0 });
    return Promise.resolve();
  }

  answer(at: number, verdict: RecordVerdict | 'nothing'): void {
    const { records, answer } = this.requests[at]!;
    const verdicts = new Map<string, RecordVerdict>();
    if (verdict !== 'nothing') for (const { key } of records) verdicts.set(key, verdict);
    answer({ kind: 'answered', verdicts });
  }

  fail(at: number, retryAfterMs = 0): void {
    this.requests[at]!.answer({ kind: 'failed', why: 'network', retryAfterMs });
  }
}

const ACCEPTED: RecordVerdict = { verdict: 'accepted' };

describe('the batching sink', () => {
  let client: HeldClient;
  let counters: Counters;

  beforeEach(() => {
    vi.useFakeTimers();
    client = new HeldClient();
    counters = new Counters();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const sink = (change: object = {}) =>
    new BatchingSink({
      config: config(change),
      client,
      counters,
      log: silentLog,
      random: seededRandom(9),
      now: () => Date.now(),
    });
  const soon = () => vi.advanceTimersByTimeAsync(1);

  it('withholds the acknowledgement when the MDM times out', async () => {
    const delivery = sink().deliver(record(1), 8_000);
    await vi.advanceTimersByTimeAsync(8_000);
    expect(await delivery).toMatchObject({ outcome: 'later', why: 'deadline' });
  });

  it('acknowledges nothing that the answer does not mention', async () => {
    const delivery = sink({ retry: { attemptsMax: 1 } }).deliver(record(1), 8_000);
    await soon();
    client.answer(0, 'nothing');
    expect(await delivery).toMatchObject({ outcome: 'later' });
    expect(counters.get('mdm.unanswered')).toBe(1);
  });

  it('gives each record of a batch its own verdict', async () => {
    const target = sink();
    const deliveries = [1, 2, 3].map((sequence) => target.deliver(record(sequence), 8_000));
    await soon();
    client.requests[0]!.answer({
      kind: 'answered',
      verdicts: new Map<string, RecordVerdict>([
        [record(1).key, { verdict: 'accepted' }],
        [record(2).key, { verdict: 'rejected', code: 'schema' }],
        [record(3).key, { verdict: 'duplicate' }],
      ]),
    });
    expect(await Promise.all(deliveries)).toEqual([
      { outcome: 'accepted' },
      { outcome: 'rejected', code: 'schema' },
      { outcome: 'duplicate' },
    ]);
  });

  it('sends the others again when a part of the batch got no verdict', async () => {
    const target = sink();
    const deliveries = [1, 2].map((sequence) => target.deliver(record(sequence), 8_000));
    await soon();
    client.requests[0]!.answer({ kind: 'answered', verdicts: new Map([[record(2).key, ACCEPTED]]) });
    expect(await deliveries[1]).toEqual({ outcome: 'accepted' });
    await vi.advanceTimersByTimeAsync(300);
    expect(client.requests[1]!.records.map(({ key }) => key)).toEqual([record(1).key]);
    client.answer(1, ACCEPTED);
    expect(await deliveries[0]).toEqual({ outcome: 'accepted' });
  });

  it('does not let one record that the MDM cannot read hold up those that shared its request', async () => {
    const target = sink({ inFlightMax: 8 });
    const deliveries = [1, 2, 3].map((sequence) => target.deliver(record(sequence), 8_000));
    await soon();
    client.requests[0]!.answer({ kind: 'unprocessable' });
    await vi.advanceTimersByTimeAsync(50);
    for (let at = 1; at < client.requests.length; at++) {
      const { records, answer } = client.requests[at]!;
      expect(records).toHaveLength(1);
      if (records[0]!.key === record(2).key) answer({ kind: 'unprocessable' });
      else client.answer(at, ACCEPTED);
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(await deliveries[0]).toEqual({ outcome: 'accepted' });
    expect(await deliveries[1]).toMatchObject({ outcome: 'later', why: 'unprocessable' });
    expect(await deliveries[2]).toEqual({ outcome: 'accepted' });
  });

  it('tries again within the deadline, and tells later when that would not hold', async () => {
    const target = sink({ breaker: { failuresMax: 100 } });
    const delivery = target.deliver(record(1), 1_000);
    await soon();
    client.fail(0);
    await vi.advanceTimersByTimeAsync(250);
    expect(client.requests).toHaveLength(2);
    client.fail(1, 5_000);
    expect(await delivery).toMatchObject({ outcome: 'later', why: 'away' });
  });

  it('holds nothing while the MDM is away: everything there and everything new is told later at once', async () => {
    const target = sink({ retry: { baseMs: 1, attemptsMax: 20 } });
    const waiting = target.deliver(record(1), 8_000);
    for (let at = 0; at < 3; at++) {
      await vi.advanceTimersByTimeAsync(20);
      client.fail(at);
    }
    expect(await waiting).toMatchObject({ outcome: 'later', why: 'away' });
    expect(await target.deliver(record(2), 8_000)).toMatchObject({ outcome: 'later', why: 'away' });
    expect(client.requests).toHaveLength(3);
    expect(counters.get('mdm.held')).toBe(0);
  });

  it('asks again with one probe, and takes everything again when it succeeds', async () => {
    const target = sink({ retry: { attemptsMax: 1 } });
    for (let at = 0; at < 3; at++) {
      const lost = target.deliver(record(at), 8_000);
      await soon();
      client.fail(at);
      await lost;
    }
    await vi.advanceTimersByTimeAsync(1_000);
    const probe = target.deliver(record(10), 8_000);
    await soon();
    expect(await target.deliver(record(11), 8_000)).toMatchObject({ outcome: 'later', why: 'away' });
    client.answer(3, ACCEPTED);
    expect(await probe).toEqual({ outcome: 'accepted' });
    const next = target.deliver(record(12), 8_000);
    await soon();
    client.answer(4, ACCEPTED);
    expect(await next).toEqual({ outcome: 'accepted' });
  });

  it('tells later beyond its bound on held records', async () => {
    const target = sink({ queueMax: 2 });
    void target.deliver(record(1), 8_000);
    void target.deliver(record(2), 8_000);
    expect(await target.deliver(record(3), 8_000)).toMatchObject({ outcome: 'later', why: 'full' });
  });

  it('lets the first of a batch wait no longer than it may, and a full one not at all', async () => {
    const target = sink({ batch: { recordsMax: 3, gatherMs: 5 } });
    const deliveries = [target.deliver(record(1), 8_000)];
    await vi.advanceTimersByTimeAsync(4);
    deliveries.push(target.deliver(record(2), 8_000));
    expect(client.requests).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(1);
    expect(client.requests[0]!.records).toHaveLength(2);
    client.answer(0, ACCEPTED);
    await vi.advanceTimersByTimeAsync(5);
    for (const sequence of [3, 4, 5]) deliveries.push(target.deliver(record(sequence), 8_000));
    expect(client.requests[1]!.records).toHaveLength(3);
    client.answer(1, ACCEPTED);
    expect(await Promise.all(deliveries)).toEqual(deliveries.map(() => ({ outcome: 'accepted' })));
    await target.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('asks an idle MDM when the first has waited, and fills a batch while it is busy', async () => {
    const target = sink({ batch: { recordsMax: 3, lingerMs: 10 }, inFlightMax: 4 });
    const deliveries = [target.deliver(record(1), 8_000)];
    await soon();
    expect(client.requests).toHaveLength(1);
    deliveries.push(target.deliver(record(2), 8_000));
    await soon();
    expect(client.requests).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(10);
    expect(client.requests[1]!.records).toHaveLength(1);
    for (const sequence of [3, 4, 5]) deliveries.push(target.deliver(record(sequence), 8_000));
    await soon();
    expect(client.requests[2]!.records).toHaveLength(3);
    for (let at = 0; at < 3; at++) client.answer(at, ACCEPTED);
    expect(await Promise.all(deliveries)).toEqual(deliveries.map(() => ({ outcome: 'accepted' })));
  });

  it('never has more requests under way than it may, nor larger ones', async () => {
    const target = sink({ inFlightMax: 2, batch: { recordsMax: 10, bytesMax: 65_536, lingerMs: 0 } });
    for (let sequence = 0; sequence < 40; sequence++) void target.deliver(record(sequence, 30_000), 8_000);
    await vi.advanceTimersByTimeAsync(20);
    expect(client.requests.map(({ records }) => records.length)).toEqual([2, 2]);
  });

  it('passes on how long the MDM asks to wait', async () => {
    const delivery = sink().deliver(record(1), 8_000);
    await soon();
    client.answer(0, { verdict: 'retry', seconds: 120 });
    expect(await delivery).toEqual({ outcome: 'later', why: 'retry', atLeastSeconds: 120 });
  });

  it('tells later what is still open when it is closed, and takes nothing more', async () => {
    const target = sink();
    const open = target.deliver(record(1), 8_000);
    await soon();
    await target.close();
    expect(await open).toMatchObject({ outcome: 'later', why: 'closing' });
    expect(await target.deliver(record(2), 8_000)).toMatchObject({ outcome: 'later', why: 'closing' });
    expect(vi.getTimerCount()).toBe(0);
  });
});
