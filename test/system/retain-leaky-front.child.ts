import { z } from 'zod';
import { startLocalHub } from '../../gateway/bus/local/hub.ts';
import type { TenantBus } from '../../gateway/bus/port.ts';
import { PROCESS_CONFIGS } from '../../gateway/cli/process-configs.ts';
import { startFront } from '../../gateway/front/front.ts';
import { loadConfig } from '../../gateway/runtime/config.ts';
import type { LogLevel } from '../../gateway/runtime/log.ts';
import { runService } from '../../gateway/runtime/service.ts';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import { type KeyFiles, Thief } from './retain-thief.ts';

/**
 * A front as it must not be: it was given the operators' keys, opens what it carries and keeps it in memory. It is
 * here to show that the search of a front's core image finds what is there to be found.
 */
const file = z.string();
const schema = PROCESS_CONFIGS.front.safeExtend({
  stolen: z.record(z.custom<TenantId>(isTenantId), z.strictObject({ certificate: file, key: file })),
});

const kept: Uint8Array[] = [];

runService(
  'front',
  async ({ log, counters }) => {
    const { bus: where, stolen, ...config } = await loadConfig(schema, { file: '-' });
    const tenants = Object.keys(config.tenants) as TenantId[];
    const hub = await startLocalHub({ directory: where.directory, tenants, log, counters });
    const keeping = (bus: TenantBus): TenantBus => {
      const thief = new Thief(bus.tenant, stolen[bus.tenant] as KeyFiles);
      return {
        tenant: bus.tenant,
        request: (request, options) => {
          kept.push(thief.payloadOf(request));
          return bus.request(request, options);
        },
        serve: (subject, handler) => bus.serve(subject, handler),
        close: () => bus.close(),
      };
    };
    const front = await startFront({ config, bus: (tenant) => keeping(hub.bus(tenant)), log, counters });
    return {
      details: { port: front.port },
      stop: async () => {
        await front.stop();
        await hub.close();
      },
    };
  },
  { level: process.argv[3] as LogLevel },
);
