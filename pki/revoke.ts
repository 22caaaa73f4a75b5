import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { TenantId } from '../protocol/identity.ts';
import { parseCertificate } from './certificate.ts';
import type { SigningAuthority } from './certify.ts';
import { makeCrl, type RevocationReason } from './crl.ts';
import { listOf, putIntoCrlFile } from './crl-file.ts';
import type { DevelopmentPki } from './development-pki.ts';
import { pkiError } from './errors.ts';
import { beside, systemCode, withFile } from './files.ts';
import type { DeviceIdentity } from './identity.ts';
import type { OfficeIdentity } from './office/identity.ts';
import { derOf } from './pem.ts';

/** Another process holds the list for as long as it takes to write one file. */
export const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 5;

export interface RevokeOptions {
  readonly nowMs: number;
  readonly reason?: RevocationReason;
  readonly lockWaitMs?: number;
}

/**
 * Put the device's three certificates on its issuing CA's revocation list (`layout.crl(home)`) and replace the
 * file at once. Those that are on it already stay as they are.
 *
 * @throws ERR_PKI_TENANT, ERR_PKI_BUSY, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS
 */
export function revokeDevice(
  pki: DevelopmentPki,
  identity: Pick<DeviceIdentity, 'home' | 'tls' | 'sign' | 'agree'>,
  options: RevokeOptions,
): void {
  const serials = serialsOf([identity.tls, identity.sign, identity.agree]);
  const { home } = identity;
  revokeSerials(pki.authorities.get(home), pki.layout.crl(home), home, serials, options);
}

/**
 * Put somebody's two certificates on the revocation list of his office (`layout.office.crl(tenant)`).
 * @throws as `revokeDevice`
 */
export function revokePerson(
  pki: DevelopmentPki,
  identity: Pick<OfficeIdentity, 'tenant' | 'sign' | 'tls'>,
  options: RevokeOptions,
): void {
  const { tenant, sign, tls } = identity;
  const authority = pki.office?.authorities.get(tenant);
  revokeSerials(authority, pki.layout.office.crl(tenant), tenant, serialsOf([sign, tls]), options);
}

const serialsOf = (credentials: readonly { readonly certificate: string }[]): string[] =>
  credentials.map(({ certificate }) => parseCertificate(derOf('CERTIFICATE', certificate)).serial);

function revokeSerials(
  authority: SigningAuthority | undefined,
  file: string,
  tenant: TenantId,
  serials: readonly string[],
  options: RevokeOptions,
): void {
  if (authority === undefined) throw pkiError('ERR_PKI_TENANT', `there is no issuing CA of ${tenant}`);
  withLock(`${file}.lock`, options.lockWaitMs ?? LOCK_WAIT_MS, () => {
    const keyId = authority.certificate.subjectKeyId ?? '';
    const list = listOf(file, keyId) ?? withFile(file, noList);
    const listed = new Set(list.entries.map(({ serial }) => serial));
    const added = serials
      .filter((serial) => !listed.has(serial))
      .map((serial) => ({ serial, atMs: options.nowMs, reason: options.reason ?? 'unspecified' }));
    const next = makeCrl(authority, {
      number: list.number + 1n,
      thisUpdateMs: options.nowMs,
      nextUpdateMs: authority.certificate.notAfterMs,
      entries: [...list.entries, ...added],
    });
    putIntoCrlFile(file, keyId, next);
  });
}

const noList = (): never => {
  throw new Error('it holds no list of this CA');
};

/**
 * Two processes that add to one list at once must not lose either's entries: the lock is a file made exclusively. It
 * says who holds it, so that what a process left that was killed, or a machine that lost its power, holds up nobody.
 */
export function withLock<Result>(lock: string, waitMs: number, run: () => Result): Result {
  const endMs = performance.now() + waitMs;
  while (!tryLock(lock)) {
    if (performance.now() > endMs)
      throw pkiError('ERR_PKI_BUSY', `${lock} is held: try again, or remove it if no other process runs`, {
        context: { file: lock },
      });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  try {
    return run();
  } finally {
    rmSync(lock, { force: true });
  }
}

function tryLock(lock: string): boolean {
  return withFile(lock, () => {
    // Linked with what it says: an empty one was left by a power cut and is nobody's.
    const fresh = beside(lock);
    writeFileSync(fresh, holderOf(process.pid), { mode: 0o600 });
    try {
      linkSync(fresh, lock);
      return true;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      if (isLeft(lock)) rmSync(lock, { force: true });
      return false;
    } finally {
      rmSync(fresh, { force: true });
    }
  });
}

/** A process by its number and the moment of its start: numbers are given again. */
export function holderOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): the 22nd field is the start time; the second, in parentheses, may hold anything.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid} ${start ?? ''}`;
  } catch {
    return `${pid} `;
  }
}

/** Whether nobody holds a lock any more. What is held by this process is not held: whoever asks runs in it now. */
function isLeft(lock: string): boolean {
  let holder: string;
  try {
    holder = readFileSync(lock, 'latin1');
  } catch {
    return false;
  }
  const pid = Number.parseInt(holder, 10);
  if (!Number.isSafeInteger(pid) || pid === process.pid) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
  return holderOf(pid) !== holder;
}
