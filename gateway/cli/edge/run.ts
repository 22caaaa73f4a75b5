import { loadEdgeConfig } from '../../edge/service/config.ts';
import { startEdge } from '../../edge/service/service.ts';
import type { LogLevel } from '../../runtime/log.ts';
import { runService } from '../../runtime/service.ts';
import { EXIT } from '../exit.ts';

export interface RunFlags {
  readonly config: string;
  readonly logLevel?: LogLevel;
}

/** `hes edge run`: until it is told to stop, or its files have ended and all that they gave has its receipt. */
export function runEdge({ config: file, logLevel: level = 'info' }: RunFlags): void {
  runService(
    'edge',
    async ({ log, counters }) => {
      const config = await loadEdgeConfig({ file });
      const edge = await startEdge({ config, log, counters });
      const ended = edge.done.then(({ complete }) => (complete ? EXIT.ok : EXIT.incomplete));
      return { ended, stop: () => edge.stop(), details: { devices: config.devices.length } };
    },
    { level },
  );
}
