import { systemClock } from '../../runtime/clock.ts';
import { endpointText } from '../modbus/endpoint.ts';
import { ModbusSource } from '../modbus/source.ts';
import type { Snapshot } from '../source.ts';
import type { ModbusEdgeSourceConfig } from './config.ts';
import type { EdgeSource, SourceContext } from './edge-source.ts';

/** A line of Modbus meters as a source of the service. @throws ERR_MODBUS_PROFILE, ERR_CONFIG and its kin for a profile file */
export async function openModbus(
  { name: given, ...config }: ModbusEdgeSourceConfig,
  { log, counters, random, time }: SourceContext,
): Promise<EdgeSource> {
  const name = given ?? endpointText(config.endpoint);
  const stopping = new AbortController();
  let show: (snapshot: Snapshot) => void = () => {};
  const source = await ModbusSource.open({
    config,
    observe: (snapshot) => show({ ...snapshot, at: time.of(snapshot.at) }),
    clock: systemClock,
    random,
    log,
    counters,
    signal: stopping.signal,
  });
  return {
    name,
    channels: new Set(config.meters.map(({ channel }) => channel)),
    ends: false,
    recorded: false,
    isUnfinished: () => false,
    run: async (observe, signal) => {
      show = observe;
      const stop = (): void => stopping.abort();
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      await source.run();
    },
    status: () => ({ name, kind: 'modbus', meters: source.status() }),
  };
}
