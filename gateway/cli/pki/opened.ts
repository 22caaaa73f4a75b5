import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Authority } from '../../../pki/ca/authority.ts';
import type { CertificateRecord } from '../../../pki/ca/certificates.ts';
import {
  headEndAuthority,
  type OpenedPki,
  openPki,
  readManifest,
  type TenantAuthorities,
  tenantAuthorities,
} from '../../../pki/ca/open.ts';
import { openRegister, type Register } from '../../../pki/ca/register.ts';
import { pkiError } from '../../../pki/errors.ts';
import { readTextIfThere } from '../../../pki/files/files.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { isTokenReference } from '../../../pki/hsm/reference.ts';
import { isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { secretOf } from './secrets.ts';

export const CLOCK = { nowMs: () => Date.now() };

export const pkiDirectory = (flags: PkiFlags): string => resolve(join(flags.data ?? '.hes', 'pki'));

/** The tenants that are meant. @throws ERR_USAGE, ERR_PKI_TENANT, ERR_PKI_ABSENT */
export function tenantsOf(flags: PkiFlags): readonly TenantId[] {
  const all = readManifest(pkiDirectory(flags)).tenants.map(({ tenant }) => tenant);
  if (flags.tenant === undefined) return all;
  if (!isTenantId(flags.tenant)) throw usage('--tenant takes the name of an operator, as ores');
  if (!all.includes(flags.tenant))
    throw pkiError('ERR_PKI_TENANT', `the PKI has no ${flags.tenant}: it has ${all.join(', ')}`);
  return [flags.tenant];
}

/** The one that is meant. @throws as `tenantsOf` */
export function tenantOf(flags: PkiFlags): TenantId {
  const [tenant, other] = tenantsOf(flags);
  if (tenant === undefined || other !== undefined) throw usage('say whose it is: --tenant NAME');
  return tenant;
}

/** What opens the CAs: nothing, for development. */
export async function caPassphrase(flags: PkiFlags): Promise<string | undefined> {
  const { passphraseFile: file, passphraseFd: fd } = flags;
  const { development, tenants } = readManifest(pkiDirectory(flags));
  if (development || allInTokens(flags, tenants)) return undefined;
  return secretOf({ file, fd, what: 'the issuing CAs', flag: '--passphrase' });
}

/** Whether there is no key here to open: a token's own PIN, in the file that the reference names, is what it takes. */
function allInTokens(flags: PkiFlags, tenants: readonly { readonly tenant: TenantId }[]): boolean {
  const { headEnd, issuing, office } = pkiLayout(pkiDirectory(flags));
  const ofTenants = tenants.flatMap(({ tenant }) => [issuing(tenant).key, office.issuing(tenant).key]);
  return [headEnd.key, ...ofTenants].every((file) => isTokenReference(readTextIfThere(file) ?? ''));
}

/** The PKI with its issuing CAs: where an operator is named, that one's alone. @throws ERR_PKI_* */
export async function openedPki(flags: PkiFlags): Promise<OpenedPki> {
  const directory = pkiDirectory(flags);
  const tenants = flags.tenant === undefined ? {} : { tenants: tenantsOf(flags) };
  return openPki({ directory, nowMs: Date.now(), passphrase: await caPassphrase(flags), ...tenants });
}

/** Do something with both CAs of a tenant. @throws ERR_PKI_*, ERR_CA_* */
export async function atTenant<Result>(
  flags: PkiFlags,
  tenant: TenantId,
  work: (opened: TenantAuthorities & { readonly pki: OpenedPki }) => Result,
): Promise<Result> {
  return withTenant(await openedPki(flags), tenant, work);
}

/** The same in a PKI that is open. @throws ERR_PKI_TENANT, ERR_CA_* */
export function withTenant<Result>(
  pki: OpenedPki,
  tenant: TenantId,
  work: (opened: TenantAuthorities & { readonly pki: OpenedPki }) => Result,
): Result {
  const authorities = tenantAuthorities(pki, tenant, CLOCK);
  try {
    return work({ ...authorities, pki });
  } finally {
    authorities.register.close();
  }
}

/** Do something with the CA of fronts. @throws ERR_PKI_*, ERR_CA_* */
export async function atHeadEnd<Result>(
  flags: PkiFlags,
  work: (authority: Authority) => Result,
): Promise<Result> {
  const passphrase = await caPassphrase(flags);
  const authority = headEndAuthority({ directory: pkiDirectory(flags), passphrase }, CLOCK);
  try {
    return work(authority);
  } finally {
    authority.register.close();
  }
}

/** Every register that there is, one after the other; no key is needed to look. @throws ERR_CA_REGISTER */
export function eachRegister(flags: PkiFlags, work: (register: Register) => void): void {
  const layout = pkiLayout(pkiDirectory(flags));
  const owners = [...tenantsOf(flags), ...(flags.tenant === undefined ? (['head-end'] as const) : [])];
  for (const owner of owners) {
    const path = layout.ca(owner);
    if (!existsSync(path)) continue;
    const register = openRegister({ path, owner });
    try {
      work(register);
    } finally {
      register.close();
    }
  }
}

/** A certificate as it is printed in JSON. */
export const recordView = (owner: string, record: CertificateRecord) => ({
  owner,
  serial: record.serial,
  profile: record.profile,
  subject: record.subject,
  uri: record.uri,
  device: record.device,
  state: record.state,
  notBefore: new Date(record.notBeforeMs).toISOString(),
  notAfter: new Date(record.notAfterMs).toISOString(),
  replacedBy: record.replacedBy,
  revokedAt: record.revokedAtMs === null ? null : new Date(record.revokedAtMs).toISOString(),
  reason: record.reason,
  invalidSince: record.invalidSinceMs === null ? null : new Date(record.invalidSinceMs).toISOString(),
});
export type RecordView = ReturnType<typeof recordView>;
