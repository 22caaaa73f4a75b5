import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { TenantId } from '../protocol/identity.ts';
import type { Bench } from './lib/bench.ts';
import { cpuNanoseconds, threadNanoseconds } from './lib/cpu.ts';
import { median, round } from './lib/statistics.ts';
import { createFloor } from './router/floor.ts';
import { BATCH, createBenchRouter } from './router/pipeline.ts';
import type { Rates } from './router/worker.ts';

const TENANT = 'ores' as TenantId;
/** As many signers as there are messages to choose from; with one place in the cache each is met for the first time. */
const DEVICES = 64;

const FULL = { turns: 40, batchesPerTurn: 25, pairs: 5, pairMs: 3_000 };
const QUICK = { turns: 3, batchesPerTurn: 3, pairs: 1, pairMs: 300 };

/** CPU microseconds of a message: of this thread, and of the process with its collector and compiler threads. */
interface Cost {
  readonly thread: number;
  readonly process: number;
}

async function cost(batch: () => unknown, batches: number): Promise<Cost> {
  const threadBefore = threadNanoseconds(process.pid, process.pid);
  const processBefore = cpuNanoseconds(process.pid);
  for (let at = 0; at < batches; at++) await batch();
  const perMessage = (nanoseconds: number): number => nanoseconds / 1_000 / batches / BATCH;
  return {
    thread: perMessage(threadNanoseconds(process.pid, process.pid) - threadBefore),
    process: perMessage(cpuNanoseconds(process.pid) - processBefore),
  };
}

/** Messages a second of so many router processes together, all running for the same while. */
async function processes(count: number, runMs: number): Promise<Rates> {
  const workers = Array.from({ length: count }, () =>
    fork(new URL('./router/worker.ts', import.meta.url), [TENANT], { stdio: 'inherit' }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const rates = await Promise.all(
    workers.map(async (worker) => {
      worker.send({ runMs });
      const [rate] = (await once(worker, 'message')) as [Rates];
      return rate;
    }),
  );
  for (const worker of workers) worker.kill();
  const sum = (of: (rate: Rates) => number): number => rates.reduce((total, rate) => total + of(rate), 0);
  return { pipeline: sum(({ pipeline }) => pipeline), floor: sum(({ floor }) => floor) };
}

export const bench: Bench = {
  what: 'The router’s pipeline, from sealed bytes to the record’s bytes and the receipt, beside the floor that its cryptography sets.',

  async run({ quick, progress }) {
    const { turns, batchesPerTurn, pairs, pairMs } = quick ? QUICK : FULL;
    progress('one process');
    const known = createBenchRouter(TENANT, { devices: DEVICES, signersMax: 1_024 });
    const unknown = createBenchRouter(TENANT, { devices: DEVICES, signersMax: 1 });
    const floor = createFloor(known.sample);
    let next = 0;
    const floorBatch = (): void => {
      for (let at = 0; at < BATCH; at++) floor(next++);
    };
    const contenders = { floor: floorBatch, known: known.batch, unknown: unknown.batch };
    const costs: Record<keyof typeof contenders, Cost[]> = { floor: [], known: [], unknown: [] };
    for (let turn = -2; turn < turns; turn++)
      for (const [name, batch] of Object.entries(contenders)) {
        const measured = await cost(batch, batchesPerTurn);
        // The first turns warm up.
        if (turn >= 0) costs[name as keyof typeof contenders].push(measured);
      }
    const { signed: _, ...sample } = known.sample;
    known.remove();
    unknown.remove();
    const of = (name: keyof typeof contenders, part: keyof Cost): number =>
      median(costs[name].map((measured) => measured[part]));

    const pairsMeasured: { one: Rates; two: Rates }[] = [];
    for (let pair = 0; pair < pairs; pair++) {
      progress(`one process and two, ${pair + 1} of ${pairs}`);
      const one = await processes(1, pairMs);
      pairsMeasured.push({ one, two: await processes(2, pairMs) });
    }

    return {
      ratios: [
        {
          name: 'pipeline to crypto floor, one core',
          value: round(of('floor', 'thread') / of('known', 'thread'), 3),
          goal: { atLeast: 0.8 },
        },
        {
          name: 'two router processes to one, as far as the machine gives them two cores',
          value: round(
            median(
              pairsMeasured.map(
                ({ one, two }) => (2 * (two.pipeline / one.pipeline)) / (two.floor / one.floor),
              ),
            ),
          ),
          goal: { atLeast: 1.7 },
        },
        {
          name: 'two router processes to one, as the clock has it',
          value: round(median(pairsMeasured.map(({ one, two }) => two.pipeline / one.pipeline))),
        },
        {
          name: 'the floor in two processes to one: what the machine gave',
          value: round(median(pairsMeasured.map(({ one, two }) => two.floor / one.floor))),
        },
        {
          name: 'pipeline to floor, CPU of all threads of the process',
          value: round(of('floor', 'process') / of('known', 'process'), 3),
        },
        {
          name: 'pipeline to floor, every signer met for the first time',
          value: round(of('floor', 'thread') / of('unknown', 'thread'), 3),
        },
      ],
      figures: [
        { name: 'crypto floor', value: round(of('floor', 'thread'), 1), unit: 'CPU µs a message' },
        { name: 'pipeline', value: round(of('known', 'thread'), 1), unit: 'CPU µs a message' },
        {
          name: 'pipeline, unknown signers',
          value: round(of('unknown', 'thread'), 1),
          unit: 'CPU µs a message',
        },
        {
          name: 'one process',
          value: round(median(pairsMeasured.map(({ one }) => one.pipeline)), 0),
          unit: 'messages/s',
        },
        {
          name: 'two processes',
          value: round(median(pairsMeasured.map(({ two }) => two.pipeline)), 0),
          unit: 'messages/s',
        },
      ],
      absent: [],
      notes: [
        `A message is a full day: import, export and gas by quarter-hour, five registers (${sample.payloadBytes} bytes of payload, ${sample.sealedBytes} sealed, ${sample.recordBytes} of record). They come ${BATCH} at a time, as the bus brings them at load.`,
        'The floor makes the same calls of node:crypto on the same messages and nothing else: import of the ephemeral key, ECDH, one HKDF, AES-GCM, ES256.',
        'Two processes need two idle cores. Each does the floor in turns with the pipeline, so what other work takes from them falls on both, and the ratio with the goal is taken beside the floor: where nothing else runs it is the plain one.',
      ],
      details: { batch: BATCH, devices: DEVICES, sample, costs, pairs: pairsMeasured },
    };
  },
};
