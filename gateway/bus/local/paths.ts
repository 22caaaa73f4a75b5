import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, type Stats, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TenantId } from '../../../protocol/identity.ts';
import { busError } from '../errors.ts';

/** sun_path of unix(7) holds 108 bytes on Linux with the closing zero; macOS has 104. */
const SOCKET_PATH_BYTES_MAX = process.platform === 'darwin' ? 103 : 107;

/** The longest name in the folder: a tenant of 32 characters and `.sock`. */
const SOCKET_NAME_BYTES_MAX = 32 + '.sock'.length;

const DIRECTORY_MODE = 0o700;
export const SOCKET_UMASK = 0o177;

/** Whoever is not the owner has no business with the folder or a socket. */
const OTHERS_MASK = 0o077;

/** A live hub answers a connection at once; this long is for a machine that is starved. */
const PROBE_WITHIN_MS = 1_000;

/**
 * Where the sockets of a data folder live: in it, or, where that path is too long for a socket, in a private folder
 * for temporary files named after it, so that every process of the same data folder finds the same one.
 */
export function busDirectory(data: string): string {
  const inside = join(resolve(data), 'bus');
  if (Buffer.byteLength(inside) + 1 + SOCKET_NAME_BYTES_MAX <= SOCKET_PATH_BYTES_MAX) return inside;
  const name = createHash('sha256').update(resolve(data)).digest('hex').slice(0, 16);
  return join(tmpdir(), `hes-${process.getuid?.() ?? 0}-${name}`);
}

/** @throws ERR_BUS_PATH */
export function socketPath(directory: string, tenant: TenantId): string {
  const path = join(resolve(directory), `${tenant}.sock`);
  const bytes = Buffer.byteLength(path);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return path;
  throw busError(
    'ERR_BUS_PATH',
    `the socket path ${path} has ${bytes} bytes, and the operating system takes ${SOCKET_PATH_BYTES_MAX}: choose a shorter folder`,
  );
}

/**
 * Make the folder if it is missing, and check that it is ours alone.
 * @throws ERR_BUS_DIRECTORY
 */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (cause) {
    if (codeOf(cause) !== 'EEXIST' && codeOf(cause) !== 'ERR_ACCESS_DENIED')
      throw busError('ERR_BUS_DIRECTORY', `${directory}: cannot be made (${codeOf(cause)})`, { cause });
  }
  checkDirectory(directory);
}

/**
 * The folder is the credential: one that another user owns or may enter would let that user pose as the bus.
 * @throws ERR_BUS_DIRECTORY; the file system's error where there is no such folder
 */
export function checkDirectory(directory: string): void {
  const stats = lstatSync(directory);
  if (!stats.isDirectory())
    throw busError('ERR_BUS_DIRECTORY', `${directory}: is not a folder (a link is not taken)`);
  checkPrivate(directory, stats);
}

/**
 * @throws ERR_BUS_DIRECTORY; the file system's error where there is no such file
 */
export function checkSocket(path: string): void {
  const stats = lstatSync(path);
  if (!stats.isSocket()) throw busError('ERR_BUS_DIRECTORY', `${path}: is not a socket`);
  checkPrivate(path, stats);
}

function checkPrivate(path: string, stats: Stats): void {
  const uid = process.getuid?.();
  if (uid !== undefined && stats.uid !== uid)
    throw busError('ERR_BUS_DIRECTORY', `${path}: belongs to user ${stats.uid}, this is user ${uid}`);
  if ((stats.mode & OTHERS_MASK) !== 0)
    throw busError(
      'ERR_BUS_DIRECTORY',
      `${path}: is open to others (mode ${(stats.mode & 0o777).toString(8)}); take their rights away`,
    );
}

/**
 * Remove a socket that a killed hub left behind. A live hub's is left alone.
 * @throws ERR_BUS_TAKEN, ERR_BUS_DIRECTORY
 */
export async function removeStaleSocket(path: string): Promise<void> {
  const before = lstatSync(path, { throwIfNoEntry: false });
  if (before === undefined) return;
  if (!before.isSocket()) throw busError('ERR_BUS_DIRECTORY', `${path}: is not a socket; it is not removed`);
  if (await isLive(path))
    throw busError('ERR_BUS_TAKEN', `${path}: another process is already the hub of this bus`);
  // Between the probe and here nothing awaits but this: another hub that took the name meanwhile has another inode.
  const now = lstatSync(path, { throwIfNoEntry: false });
  if (now === undefined) return;
  if (now.ino !== before.ino)
    throw busError('ERR_BUS_TAKEN', `${path}: another process has just become the hub of this bus`);
  try {
    unlinkSync(path);
  } catch (cause) {
    throw busError('ERR_BUS_DIRECTORY', `${path}: is stale and cannot be removed (${codeOf(cause)})`, {
      cause,
    });
  }
}

function isLive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (live: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(live);
    };
    // No answer and no refusal: somebody holds the socket and is frozen. That is not ours to take.
    const timer = setTimeout(() => done(true), PROBE_WITHIN_MS);
    socket.once('connect', () => done(true));
    socket.once('error', (error) => done(codeOf(error) !== 'ECONNREFUSED' && codeOf(error) !== 'ENOENT'));
  });
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown';
}
