import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import type { Log } from '../../gateway/runtime/log.ts';
import { isHesError } from '../../protocol/errors.ts';
import { fleetError } from '../errors.ts';
import { isAnswered } from './client.ts';
import { fleetSocketPath, makeSocketFolder } from './paths.ts';
import {
  CONNECTIONS_MAX,
  type FleetAnswer,
  type FleetReply,
  type FleetRequest,
  fleetRequest,
  IDLE_MS,
  REPLY_WITHIN_MS,
  REQUEST_BYTES_MAX,
} from './protocol.ts';

/** Nobody but the user of the fleet may ask. */
const SOCKET_UMASK = 0o177;
const SOCKET_MODE = 0o600;

/** Whoever is still fetching an answer is not waited for longer. */
const CLOSE_WITHIN_MS = 100;

export interface FleetSocket {
  readonly path: string;
  close(): Promise<void>;
}

/**
 * Answer at `<data>/fleet.sock`: one request and one reply for each connection.
 * @throws ERR_FLEET_SOCKET
 */
export async function openFleetSocket(
  data: string,
  answer: (request: FleetRequest) => Promise<FleetAnswer>,
  log: Log,
): Promise<FleetSocket> {
  const path = fleetSocketPath(data);
  makeSocketFolder(path);
  await removeStale(path);
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    serve(socket, answer, log);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        // Closing removes the socket's file.
        server.close(() => resolve());
        setTimeout(() => {
          for (const socket of sockets) socket.destroy();
        }, CLOSE_WITHIN_MS).unref();
      }),
  };
}

function serve(socket: Socket, answer: (request: FleetRequest) => Promise<FleetAnswer>, log: Log): void {
  let text = '';
  socket.setEncoding('utf8');
  socket.setTimeout(IDLE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
  const listen = (chunk: string): void => {
    text += chunk;
    const end = text.indexOf('\n');
    if (end < 0 && text.length <= REQUEST_BYTES_MAX) return;
    socket.off('data', listen);
    socket.resume();
    socket.setTimeout(REPLY_WITHIN_MS);
    void replyTo(end < 0 ? '' : text.slice(0, end), answer, log).then((reply) => {
      socket.setTimeout(IDLE_MS);
      if (!socket.destroyed) socket.end(`${JSON.stringify(reply)}\n`);
    });
  };
  socket.on('data', listen);
}

async function replyTo(
  line: string,
  answer: (request: FleetRequest) => Promise<FleetAnswer>,
  log: Log,
): Promise<FleetReply> {
  try {
    const parsed = fleetRequest.safeParse(asJson(line));
    if (!parsed.success) throw fleetError('ERR_FLEET_REQUEST', 'no request of this version');
    return { ok: true, ...(await answer(parsed.data)) };
  } catch (error) {
    if (isHesError(error)) return { ok: false, code: error.code, message: error.message };
    log.error({ err: error }, 'the control socket could not answer');
    return { ok: false, code: 'ERR_FLEET_SOCKET', message: 'the fleet could not answer: its log says why' };
  }
}

function asJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What a killed process left is removed; a living one, or what is no socket, is not. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch {
    return;
  }
  if (!isSocket) throw fleetError('ERR_FLEET_SOCKET', `${path} is no socket: move it away`);
  if (await isAnswered(path))
    throw fleetError('ERR_FLEET_SOCKET', `another fleet answers at ${path}: stop it first`);
  rmSync(path, { force: true });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(fleetError('ERR_FLEET_SOCKET', `${path}: cannot listen`, cause)));
    server.once('listening', () => {
      chmodSync(path, SOCKET_MODE);
      resolve();
    });
    // Node binds a Unix socket within the call of `listen`: the mask makes it private from its first moment.
    const before = process.umask(SOCKET_UMASK);
    try {
      server.listen(path);
    } finally {
      process.umask(before);
    }
  });
}
