import { connect } from 'node:net';
import type { EdgeStatus } from '../../gateway/edge/service/status.ts';

/** Ask a running edge how it stands; undefined where nobody answers. */
export function askStatus(path: string): Promise<EdgeStatus | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    socket.setEncoding('utf8');
    socket.on('data', (block: string) => {
      text += block;
    });
    socket.on('error', () => resolve(undefined));
    socket.on('end', () => {
      try {
        resolve(JSON.parse(text) as EdgeStatus);
      } catch {
        resolve(undefined);
      }
    });
  });
}
