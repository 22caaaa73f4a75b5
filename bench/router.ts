/**
 * The router's pipeline on one core, from sealed bytes to the MDM record's bytes and the receipt, beside the
 * floor that its cryptography sets; then two router processes beside one. The floor makes the same node:crypto
 * calls on inputs of the same sizes and nothing else. Both run in turns in one process, so that a noisy machine
 * disturbs them alike. Run: `node bench/router.ts [seconds]`; the result is written to bench/results/router.json.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import type { TenantId } from '../protocol/identity.ts';
import { median, round } from './lib/statistics.ts';
import { createFloor } from './router/floor.ts';
import { BATCH, createBenchRouter } from './router/pipeline.ts';

const TENANT = 'ores' as TenantId;
/** Turns: each measures floor and pipeline for a slice of the time, and the median of the ratios counts. */
const TURNS = 15;

const seconds = Number(process.argv[2] ?? 15);

/** Times a second that `step` ran within `runMs`, a batch at a time. */
async function rate(step: (at: number) => unknown, runMs: number): Promise<number> {
  const startedMs = performance.now();
  let count = 0;
  let nowMs = startedMs;
  while (nowMs - startedMs < runMs) {
    await Promise.all(Array.from({ length: BATCH }, () => step(count++)));
    nowMs = performance.now();
  }
  return (count * 1_000) / (nowMs - startedMs);
}

async function oneCore() {
  const router = createBenchRouter(TENANT, { devices: 64, signersMax: 1_024 });
  const cold = createBenchRouter(TENANT, { devices: 64, signersMax: 1 });
  const floor = createFloor(router.sample);
  const runMs = (seconds * 1_000) / TURNS / 3;
  for (const step of [floor, router.step, cold.step]) await rate(step, 500);
  const turns: { floorPerSecond: number; pipelinePerSecond: number; coldPerSecond: number }[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const floorPerSecond = await rate(floor, runMs);
    const pipelinePerSecond = await rate(router.step, runMs);
    const coldPerSecond = await rate(cold.step, runMs);
    turns.push({ floorPerSecond, pipelinePerSecond, coldPerSecond });
  }
  const of = (pick: (turn: (typeof turns)[number]) => number) => median(turns.map(pick));
  const result = {
    batch: BATCH,
    payloadBytes: router.sample.payload.length,
    sealedBytes: router.sample.sealed.length,
    recordBytes: router.sample.recordBytes,
    floorPerSecond: round(
      of((turn) => turn.floorPerSecond),
      0,
    ),
    pipelinePerSecond: round(
      of((turn) => turn.pipelinePerSecond),
      0,
    ),
    ratio: round(
      of((turn) => turn.pipelinePerSecond / turn.floorPerSecond),
      3,
    ),
    /** Every signature certificate met for the first time: parsed and verified too. */
    unknownSignersPerSecond: round(
      of((turn) => turn.coldPerSecond),
      0,
    ),
    unknownSignersRatio: round(
      of((turn) => turn.coldPerSecond / turn.floorPerSecond),
      3,
    ),
  };
  router.remove();
  cold.remove();
  return result;
}

/** Messages a second of `count` processes together, each running for the same while. */
async function processes(count: number, runMs: number): Promise<number> {
  const workers = Array.from({ length: count }, () =>
    fork(new URL('./router/worker.ts', import.meta.url), [TENANT], { stdio: 'inherit' }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const answers = workers.map(async (worker) => {
    worker.send({ runMs });
    const [{ perSecond }] = (await once(worker, 'message')) as [{ perSecond: number }];
    return perSecond;
  });
  const rates = await Promise.all(answers);
  for (const worker of workers) worker.kill();
  return rates.reduce((sum, perSecond) => sum + perSecond, 0);
}

async function scaling() {
  const runMs = (seconds * 1_000) / 6;
  const pairs = [];
  for (let turn = 0; turn < 3; turn++) {
    const one = await processes(1, runMs);
    pairs.push({ one, two: await processes(2, runMs) });
  }
  return {
    onePerSecond: round(median(pairs.map(({ one }) => one)), 0),
    twoPerSecond: round(median(pairs.map(({ two }) => two)), 0),
    ratio: round(median(pairs.map(({ one, two }) => two / one)), 3),
  };
}

const result = {
  machine: { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version },
  target: { pipelineToFloor: 0.8, twoProcessesToOne: 1.7 },
  pipeline: await oneCore(),
  processes: await scaling(),
};
console.log(JSON.stringify(result, null, 2));
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
writeFileSync(new URL('./results/router.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
