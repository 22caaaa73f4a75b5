import { connectLocalBus } from '../../bus/local/peer.ts';
import { deskConfig } from '../../desk/service/config.ts';
import { startDesk } from '../../desk/service/start.ts';
import { loadConfig } from '../../runtime/config.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { busConfig } from './bus-config.ts';

/** The room says what a desk needs; its process adds which bus it is put on. */
export const deskProcessConfig = deskConfig.safeExtend({ bus: busConfig });

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const { bus: where, ...config } = await loadConfig(deskProcessConfig, { file });
  const { tenant } = config;
  const bus = connectLocalBus({ directory: where.directory, tenant, log, counters });
  try {
    const desk = await startDesk({ config, bus, log, counters });
    process.on('SIGHUP', () => {
      desk.reload().catch((error: unknown) => log.error({ err: error }, 'the registry cannot be read again'));
    });
    const stop = async (): Promise<void> => {
      await desk.stop();
      await bus.close();
    };
    return { details: { tenant, port: desk.port }, stop };
  } catch (error) {
    await bus.close();
    throw error;
  }
}
