import { loadEdgeConfig } from '../../edge/service/config.ts';
import { statusOfFiles } from '../../edge/service/files-status.ts';
import { askStatus } from '../../edge/service/socket.ts';
import { EXIT } from '../exit.ts';
import { statusText } from './show.ts';

export interface StatusFlags {
  readonly config: string;
  readonly json?: boolean;
}

/**
 * `hes edge status`: what the running process says of itself or, where none runs, what its files say.
 * @returns the exit code: 0 while it runs, 3 where none does (as `systemctl status`)
 * @throws ERR_CONFIG and its kin, ERR_EDGE_STATUS, ERR_EDGE_DATA
 */
export async function edgeStatus({ config: file, json }: StatusFlags): Promise<number> {
  const config = await loadEdgeConfig({ file });
  const status = (await askStatus(config.data)) ?? statusOfFiles(config, Date.now());
  process.stdout.write(json === true ? `${JSON.stringify(status)}\n` : statusText(status));
  return status.running ? EXIT.ok : EXIT.notRunning;
}
