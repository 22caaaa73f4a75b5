import { connectLocalBus } from '../gateway/bus/local/peer.ts';
import type { TenantId } from '../protocol/identity.ts';

/** The router's side of bench/bus.ts, as a process of its own: answers at once, and tells its CPU time when asked. */
const [directory, answerBytes] = process.argv.slice(2) as [string, string];
const answer = new Uint8Array(Number(answerBytes));
const bus = connectLocalBus({ directory, tenant: 'ores' as TenantId });
await bus.serve('up.index', async () => answer);
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMicroseconds: user + system });
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
