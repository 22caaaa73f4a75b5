import type { TenantId } from '../../protocol/identity.ts';
import { createBenchRouter } from './pipeline.ts';

/** One router process of the benchmark: says when it is warm, runs when it is told, and tells its rate. */
const router = createBenchRouter(process.argv[2] as TenantId, { devices: 32, signersMax: 1_024 });
for (let at = 0; at < 2_000; at++) await router.step(at);
router.remove();
process.send!({ ready: true });
process.on('message', async ({ runMs }: { runMs: number }) => {
  const startedMs = performance.now();
  let count = 0;
  while (performance.now() - startedMs < runMs) for (let i = 0; i < 16; i++) await router.step(count++);
  process.send!({ perSecond: (count * 1_000) / (performance.now() - startedMs) });
});
