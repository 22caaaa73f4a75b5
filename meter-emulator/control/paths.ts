import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fleetError } from '../errors.ts';

/** sun_path of unix(7) holds 108 bytes on Linux with the closing zero; macOS has 104. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;
const SOCKET_NAME = 'fleet.sock';

/** Nobody but the user of the fleet may press its buttons. */
const OTHERS_MASK = 0o077;
const DIRECTORY_MODE = 0o700;

/**
 * Where the fleet of a data folder is asked: in it, or, where that path is too long for a socket, in a private folder
 * for temporary files named after it.
 */
export function fleetSocketPath(data: string): string {
  const inside = join(resolve(data), SOCKET_NAME);
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX) return inside;
  const name = createHash('sha256').update(resolve(data)).digest('hex').slice(0, 16);
  return join(tmpdir(), `hes-fleet-${process.getuid?.() ?? 0}-${name}`, SOCKET_NAME);
}

/** A folder for the socket that is not in the data folder. @throws ERR_FLEET_SOCKET */
export function makeSocketFolder(path: string): void {
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: DIRECTORY_MODE });
    const stats = lstatSync(folder);
    if (!stats.isDirectory()) throw new Error('no folder');
    // Whoever else may write there could pose as the fleet.
    const isOurs = process.getuid === undefined || stats.uid === process.getuid();
    const isTemporary = folder.startsWith(join(tmpdir(), 'hes-fleet-'));
    if (isTemporary && (!isOurs || (stats.mode & OTHERS_MASK) !== 0)) throw new Error('not ours alone');
  } catch (cause) {
    throw fleetError('ERR_FLEET_SOCKET', `${folder}: no place for the control socket`, cause);
  }
}
