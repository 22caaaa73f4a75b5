import { startLocalHub } from '../../gateway/bus/local/hub.ts';
import type { TenantId } from '../../protocol/identity.ts';

/** A hub as a process of its own, to be killed. */
const [directory, ...tenants] = process.argv.slice(2) as [string, ...TenantId[]];
await startLocalHub({ directory, tenants });
process.on('disconnect', () => process.exit(0));
process.send?.('open');
