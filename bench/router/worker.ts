import type { TenantId } from '../../protocol/identity.ts';
import { createFloor } from './floor.ts';
import { BATCH, createBenchRouter } from './pipeline.ts';

/**
 * One router process of the benchmark: says when it is warm, runs when it is told, and tells its rate. Between the
 * batches of the pipeline it does as many of the floor, whose rate says how much of a core the machine gave it.
 */
const WARM_UP_BATCHES = 60;

/** Messages a second of real time. */
export interface Rates {
  readonly pipeline: number;
  readonly floor: number;
}

const { batch, sample, remove } = createBenchRouter(process.argv[2] as TenantId, {
  devices: 64,
  signersMax: 1_024,
});
const floor = createFloor(sample);
let next = 0;
const floorBatch = (): void => {
  for (let at = 0; at < BATCH; at++) floor(next++);
};
for (let at = 0; at < WARM_UP_BATCHES; at++) {
  floorBatch();
  await batch();
}
remove();
process.send!({ ready: true });
process.on('message', async ({ runMs }: { runMs: number }) => {
  const spentMs = { pipeline: 0, floor: 0 };
  let batches = 0;
  for (; spentMs.pipeline + spentMs.floor < runMs; batches++) {
    const startedMs = performance.now();
    floorBatch();
    const betweenMs = performance.now();
    await batch();
    spentMs.floor += betweenMs - startedMs;
    spentMs.pipeline += performance.now() - betweenMs;
  }
  const perSecond = (ms: number): number => (batches * BATCH * 1_000) / ms;
  const rates: Rates = { pipeline: perSecond(spentMs.pipeline), floor: perSecond(spentMs.floor) };
  process.send!(rates);
});
