import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { HesError } from '../../../protocol/errors.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import type { EdgeStatus } from './status.ts';

/** sun_path of unix(7) holds 108 bytes on Linux with the closing zero; macOS has 104. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;

/** Nobody but the user of the service may ask: an answer names devices and their operators. */
const SOCKET_UMASK = 0o177;
const SOCKET_MODE = 0o600;

/** More questions at once than any person and their monitoring ask. */
const CONNECTIONS_MAX = 32;
/** Who does not fetch its answer within this is hung up on. */
const ANSWER_WITHIN_MS = 5_000;
/** 64 devices with eight sources each stay under this. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

export const controlSocketPath = (data: string): string => join(data, 'edge.sock');

export interface ControlSocket {
  close(): Promise<void>;
}

/**
 * Answer each connection at `<data>/edge.sock` with one JSON object, and end it. Nothing is read: there is nothing
 * that could be asked for but the status, and nothing that could be told to do.
 * @throws ERR_EDGE_SOCKET, ERR_EDGE_RUNNING
 */
export async function openControlSocket(data: string, status: () => EdgeStatus): Promise<ControlSocket> {
  const path = controlSocketPath(data);
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    throw failure(
      'ERR_EDGE_SOCKET',
      `${path} has more than the ${SOCKET_PATH_BYTES_MAX} bytes that the operating system takes for a socket: choose a shorter data folder`,
    );
  await removeStale(path);
  const server = createServer((socket) => {
    socket.setTimeout(ANSWER_WITHIN_MS, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.resume();
    socket.end(`${JSON.stringify(status())}\n`);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, path);
  return {
    close: () =>
      new Promise((resolve) => {
        // Closing removes the socket file; whoever is still fetching an answer is not waited for.
        server.close(() => resolve());
        setTimeout(resolve, 100).unref();
      }),
  };
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(failure('ERR_EDGE_SOCKET', `${path}: cannot listen (${codeOf(cause)})`, cause)),
    );
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

/** What a killed process left is removed; a living one, or what is no socket, is not. */
async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch {
    return;
  }
  if (!isSocket) throw failure('ERR_EDGE_SOCKET', `${path} is no socket: move it away`);
  if ((await fetchAnswer(path)) !== null)
    throw failure('ERR_EDGE_RUNNING', `another hes edge run answers at ${path}: stop it first`);
  rmSync(path, { force: true });
}

/**
 * Ask a running edge how it is; null where none runs.
 * @throws ERR_EDGE_STATUS, ERR_EDGE_DATA
 */
export async function askStatus(data: string): Promise<EdgeStatus | null> {
  const text = await fetchAnswer(controlSocketPath(data));
  if (text === null) return null;
  try {
    const status = JSON.parse(text) as EdgeStatus;
    if (status.version === 1) return status;
  } catch {
    // Said below: what answered is not quoted.
  }
  throw failure(
    'ERR_EDGE_STATUS',
    `${controlSocketPath(data)}: what answers there is no edge of this version`,
  );
}

/** Everything that is answered to a connection, or null where nobody listens. */
function fetchAnswer(path: string): Promise<string | null> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const blocks: Buffer[] = [];
    let bytes = 0;
    const end = (text: string | null): void => {
      socket.destroy();
      resolve(text);
    };
    // Somebody listens and says nothing: it runs, and hangs.
    socket.setTimeout(ANSWER_WITHIN_MS, () => end(''));
    socket.on('data', (block: Buffer) => {
      bytes += block.length;
      if (bytes > ANSWER_BYTES_MAX) end('');
      else blocks.push(block);
    });
    socket.on('end', () => end(Buffer.concat(blocks).toString('utf8')));
    socket.on('error', (cause) => {
      const code = codeOf(cause);
      if (code === 'EACCES' || code === 'EPERM')
        reject(failure('ERR_EDGE_DATA', `${path} may not be opened by this user`, cause));
      else end(null);
    });
  });
}

function codeOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}

function failure(code: EdgeServiceErrorCode, message: string, cause?: unknown): HesError {
  return new HesError(code, message, cause === undefined ? {} : { cause });
}
