import { mdmStandInConfig } from '../../../deploy/mdm-standin/config.ts';
import { startMdmStandIns } from '../../../deploy/mdm-standin/service.ts';
import { loadConfig } from '../../runtime/config.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const config = await loadConfig(mdmStandInConfig, { file });
  const { urls, stop } = await startMdmStandIns({ config, log, counters });
  return { details: urls, stop };
}
