import type { TenantId } from '../../protocol/identity.ts';
import { BATCH, createBenchRouter } from './pipeline.ts';

/** One router process of the benchmark: says when it is warm, runs when it is told, and tells its rate. */
const router = createBenchRouter(process.argv[2] as TenantId, { devices: 32, signersMax: 1_024 });
const batch = (from: number) => Promise.all(Array.from({ length: BATCH }, (_, at) => router.step(from + at)));
for (let at = 0; at < 2_000; at += BATCH) await batch(at);
router.remove();
process.send!({ ready: true });
process.on('message', async ({ runMs }: { runMs: number }) => {
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() - startedMs < runMs; count += BATCH) await batch(count);
  process.send!({ perSecond: (count * 1_000) / (performance.now() - startedMs) });
});
