import { connectLocalBus } from '../../bus/local/peer.ts';
import { routerConfig } from '../../router/config.ts';
import { startRouter } from '../../router/router.ts';
import { loadConfig } from '../../runtime/config.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { busConfig } from './bus-config.ts';

/** The room says what a router needs; its process adds which bus it is put on. */
export const routerProcessConfig = routerConfig.safeExtend({ bus: busConfig });

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const { bus: where, ...config } = await loadConfig(routerProcessConfig, { file });
  const bus = connectLocalBus({ directory: where.directory, tenant: config.tenant, log, counters });
  const router = await startRouter({ config, bus, log, counters });
  process.on('SIGHUP', () => void router.reload());
  const stop = async (): Promise<void> => {
    await router.stop();
    await bus.close();
  };
  return { details: { tenant: config.tenant }, stop };
}
