import { fleetConfig } from '../../../meter-emulator/config.ts';
import { type FleetReport, startFleet } from '../../../meter-emulator/start.ts';
import { loadConfig } from '../../runtime/config.ts';
import { hasParent, tellParent } from '../../runtime/parent.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { EXIT } from '../exit.ts';

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const config = await loadConfig(fleetConfig, { file });
  const fleet = await startFleet({ config, log, counters });
  // A run that failed is a rejection that nobody catches: the process ends, and a supervisor starts it again.
  void fleet.done.then(endOfRun);
  return { stop: () => fleet.stop() };
}

/** A bounded run is over: whoever started this process hears the report, or reads it. */
async function endOfRun(report: FleetReport): Promise<void> {
  if (hasParent()) return tellParent({ type: 'notice', notice: report });
  process.stdout.write(`${JSON.stringify(report)}\n`);
  process.exit(report.complete ? EXIT.ok : EXIT.incomplete);
}
