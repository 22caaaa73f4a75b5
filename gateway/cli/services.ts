import { startMdmStandIns } from '../../deploy/mdm-standin/service.ts';
import { type FleetReport, startFleet } from '../../meter-emulator/start.ts';
import { startLocalHub } from '../bus/local/hub.ts';
import { connectLocalBus } from '../bus/local/peer.ts';
import { startFront } from '../front/front.ts';
import { startRouter } from '../router/router.ts';
import { loadConfig } from '../runtime/config.ts';
import type { LogLevel } from '../runtime/log.ts';
import { hasParent, tellParent } from '../runtime/parent.ts';
import { type RunningService, runService, type ServiceContext } from '../runtime/service.ts';
import { EXIT } from './exit.ts';
import type { ServiceName } from './kinds.ts';
import { PROCESS_CONFIGS } from './process-configs.ts';

/** How each process is composed of its room and, where it talks to others, the bus that it is put on. */
const SERVICES: Readonly<
  Record<ServiceName, (context: ServiceContext, file: string) => Promise<RunningService>>
> = {
  async front({ log, counters }, file) {
    const { bus, ...config } = await loadConfig(PROCESS_CONFIGS.front, { file });
    const tenants = Object.keys(config.tenants) as (keyof typeof config.tenants)[];
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
  },

  async router({ log, counters }, file) {
    const { bus: where, ...config } = await loadConfig(PROCESS_CONFIGS.router, { file });
    const bus = connectLocalBus({ directory: where.directory, tenant: config.tenant, log, counters });
    const router = await startRouter({ config, bus, log, counters });
    const stop = async (): Promise<void> => {
      await router.stop();
      await bus.close();
    };
    return { details: { tenant: config.tenant }, stop };
  },

  async mdm({ log, counters }, file) {
    const config = await loadConfig(PROCESS_CONFIGS.mdm, { file });
    const { urls, stop } = await startMdmStandIns({ config, log, counters });
    return { details: urls, stop };
  },

  async fleet({ log, counters }, file) {
    const config = await loadConfig(PROCESS_CONFIGS.fleet, { file });
    const fleet = await startFleet({ config, log, counters });
    // A run that failed is a rejection that nobody catches: the process ends, and a supervisor starts it again.
    void fleet.done.then(endOfRun);
    return { stop: () => fleet.stop() };
  },
};

/** A bounded run is over: whoever started this process hears the report, or reads it. */
async function endOfRun(report: FleetReport): Promise<void> {
  if (hasParent()) return tellParent({ type: 'notice', notice: report });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exit(report.complete ? EXIT.ok : EXIT.incomplete);
}

export function runNamedService(name: ServiceName, file: string, level: LogLevel = 'info'): void {
  runService(name, (context) => SERVICES[name](context, file), { level });
}
