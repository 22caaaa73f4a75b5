import type { Counters } from '../../gateway/runtime/counters.ts';
import type { Log } from '../../gateway/runtime/log.ts';
import type { MdmStandInConfig } from './config.ts';
import { type MdmStandIn, startMdmStandIn } from './standin.ts';

/** Start the stand-ins of a configuration; their counts appear as `mdm.<tenant>.<what>`. */
export async function startMdmStandIns(parts: {
  readonly config: MdmStandInConfig;
  readonly log: Log;
  readonly counters: Counters;
}): Promise<{ readonly urls: Readonly<Record<string, string>>; stop(): Promise<void> }> {
  const { config, log, counters } = parts;
  const running = new Map<string, MdmStandIn>();
  const stop = async (): Promise<void> => {
    await Promise.all(running.values().map((standIn) => standIn.stop()));
  };
  try {
    for (const { tenant, port, store } of config.tenants) {
      const standIn = await startMdmStandIn({
        tenant,
        port,
        host: config.host,
        log,
        ...(store === undefined ? {} : { store }),
        ...(config.mdmOut === undefined ? {} : { mdmOut: config.mdmOut }),
      });
      running.set(tenant, standIn);
      counters.gauge(`mdm.${tenant}.known`, () => standIn.counts().known);
      counters.gauge(`mdm.${tenant}.accepted`, () => standIn.counts().accepted);
      counters.gauge(`mdm.${tenant}.duplicates`, () => standIn.counts().duplicates);
      counters.gauge(`mdm.${tenant}.misrouted`, () => standIn.counts().misrouted);
      for (const code of ['schema', 'tenant', 'key'] as const)
        counters.gauge(`mdm.${tenant}.rejected.${code}`, () => standIn.counts().rejected[code]);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { urls: Object.fromEntries([...running].map(([tenant, standIn]) => [tenant, standIn.url])), stop };
}
