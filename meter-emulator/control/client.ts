import { connect } from 'node:net';
import { HesError } from '../../protocol/errors.ts';
import { fleetError } from '../errors.ts';
import { fleetSocketPath } from './paths.ts';
import {
  type FleetAnswer,
  type FleetQuestion,
  type FleetReply,
  REPLY_BYTES_MAX,
  REPLY_WITHIN_MS,
} from './protocol.ts';

/** Nobody listens, or there is no such file. */
const NOBODY: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);

/**
 * Ask the fleet that runs in a data folder.
 * @throws ERR_FLEET_NOT_RUNNING, ERR_FLEET_SOCKET, and what the fleet refuses: ERR_FLEET_DEVICE, ERR_EMULATED_POWER, …
 */
export async function askFleet(data: string, question: FleetQuestion): Promise<FleetAnswer> {
  const path = fleetSocketPath(data);
  const reply = replyOf(await exchange(path, `${JSON.stringify(question)}\n`), path);
  if (!reply.ok) throw new HesError(reply.code, reply.message);
  const { ok: _, ...answer } = reply;
  return answer;
}

/** Whether anybody listens there. */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}

function replyOf(text: string, path: string): FleetReply {
  try {
    const reply = JSON.parse(text) as FleetReply;
    if (reply.ok ? reply.screen.simulated : typeof reply.code === 'string') return reply;
  } catch {
    // Said below: what answered is not quoted.
  }
  throw fleetError('ERR_FLEET_SOCKET', `${path}: what answers there is no fleet of this version`);
}

function exchange(path: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const blocks: Buffer[] = [];
    let bytes = 0;
    const fail = (why: string): void => {
      socket.destroy();
      reject(fleetError('ERR_FLEET_SOCKET', `${path}: ${why}`));
    };
    socket.setTimeout(REPLY_WITHIN_MS, () => fail('the fleet does not answer'));
    socket.once('connect', () => socket.write(line));
    socket.on('data', (block: Buffer) => {
      bytes += block.length;
      if (bytes > REPLY_BYTES_MAX) fail('the answer is longer than any');
      else blocks.push(block);
    });
    socket.once('end', () => {
      socket.destroy();
      resolve(Buffer.concat(blocks).toString('utf8'));
    });
    socket.once('error', (error) => {
      const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
      if (!NOBODY.has(code)) return fail(`it cannot be asked (${code})`);
      reject(
        fleetError(
          'ERR_FLEET_NOT_RUNNING',
          `no emulated fleet runs in this data folder (${path}): start hes up there, or name its folder with --data`,
        ),
      );
    });
  });
}
