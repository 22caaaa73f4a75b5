import type { TenantId } from '../../protocol/identity.ts';
import { BATCH, createBenchRouter } from './pipeline.ts';

/** One router process of the benchmark: says when it is warm, runs when it is told, and tells its rate. */
const WARM_UP_BATCHES = 60;

const { batch, remove } = createBenchRouter(process.argv[2] as TenantId, { devices: 64, signersMax: 1_024 });
for (let at = 0; at < WARM_UP_BATCHES; at++) await batch();
remove();
process.send!({ ready: true });
process.on('message', async ({ runMs }: { runMs: number }) => {
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() - startedMs < runMs; count += BATCH) await batch();
  process.send!({ perSecond: (count * 1_000) / (performance.now() - startedMs) });
});
