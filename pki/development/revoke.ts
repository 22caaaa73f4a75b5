import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { listOf, putIntoCrlFile } from '../files/crl-file.ts';
import { withFile } from '../files/files.ts';
import { LOCK_WAIT_MS, withLock } from '../files/lock.ts';
import type { DeviceIdentity } from '../identity.ts';
import type { OfficeIdentity } from '../office/identity.ts';
import { parseCertificate } from '../x509/certificate.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { makeCrl, type RevocationReason } from '../x509/crl.ts';
import { derOf } from '../x509/pem.ts';
import type { DevelopmentPki } from './development-pki.ts';

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
