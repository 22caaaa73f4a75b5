import type { TenantId } from '../../../protocol/identity.ts';
import { startLocalHub } from '../../bus/local/hub.ts';
import { frontConfigSchema } from '../../front/config.ts';
import { startFront } from '../../front/front.ts';
import { loadConfig } from '../../runtime/config.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { busConfig } from './bus-config.ts';

/** The room says what a front needs; its process adds which bus it is put on. */
export const frontProcessConfig = frontConfigSchema.safeExtend({ bus: busConfig });

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const { bus, ...config } = await loadConfig(frontProcessConfig, { file });
  const tenants = Object.keys(config.tenants) as TenantId[];
  const hub = await startLocalHub({ directory: bus.directory, tenants, log, counters });
  try {
    const front = await startFront({ config, bus: (tenant) => hub.bus(tenant), log, counters });
    process.on('SIGHUP', () => void front.reload());
    const stop = async (): Promise<void> => {
      await front.stop();
      await hub.close();
    };
    return { details: { port: front.port }, stop };
  } catch (error) {
    await hub.close();
    throw error;
  }
}
