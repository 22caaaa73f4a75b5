import { readFileSync } from 'node:fs';
import type { TenantId } from '../../protocol/identity.ts';
import { NOTICE_REVOKED_MAX } from '../../protocol/limits.ts';
import type { OpenedPki, TenantAuthorities } from '../ca/open.ts';
import { pkiError } from '../errors.ts';
import { replaceFile, systemCode, withFile } from '../files/files.ts';
import { LOCK_WAIT_MS, withLock } from '../files/lock.ts';
import { nextNotice } from './notice.ts';

/** Certificates of people that are looked through for those that were revoked and are not over. */
const REVOKED_READ_MAX = 100_000;

/**
 * Sign the notice of today and put it in its place, where something of it changed: the present sealing key, the office
 * CAs in force, who was revoked. Fronts carry it; router and desk read it again.
 * @throws ERR_PKI_TENANT, ERR_NOTICE_*, ERR_PKI_*, ERR_CA_REGISTER
 */
export function publishNotice(
  pki: OpenedPki,
  tenant: TenantId,
  { register, field, office }: TenantAuthorities,
  { nowMs, by, dryRun = false }: { readonly nowMs: number; readonly by: string; readonly dryRun?: boolean },
): {
  readonly file: string;
  readonly number: number;
  readonly changed: boolean;
  readonly revokedPeople: number;
  readonly bytes: number;
} {
  const owner = pki.owners.get(tenant);
  if (owner === undefined || pki.office === undefined)
    throw pkiError('ERR_PKI_TENANT', `there is no sealing key or office of ${tenant}`);
  const revoked = register.certificates
    .list({
      filter: { profile: 'personSign', state: 'revoked', endAfterMs: nowMs },
      limit: REVOKED_READ_MAX,
    })
    .slice(-NOTICE_REVOKED_MAX)
    .map(({ serial }) => serial);
  const content = {
    tenant,
    sealing: owner.certificate,
    officeRoot: pki.office.root,
    officeIssuers: [office.issuer, ...(pki.others?.office.get(tenant) ?? [])].map(
      ({ certificate }) => certificate.der,
    ),
    revokedPeople: revoked,
  };
  const file = pki.layout.notice(tenant);
  const next = (): ReturnType<typeof nextNotice> =>
    nextNotice(field.issuer, content, { before: bytesIfThere(file), nowMs });
  const write = (): ReturnType<typeof nextNotice> => {
    const notice = next();
    if (!notice.changed) return notice;
    register.transaction(() =>
      register.audit.append({ atMs: nowMs, event: 'notice-published', by, reason: String(notice.number) }),
    );
    replaceFile(file, notice.bytes);
    return notice;
  };
  const { bytes, number, changed } = dryRun ? next() : withLock(`${file}.lock`, LOCK_WAIT_MS, write);
  return { file, number, changed, revokedPeople: revoked.length, bytes: bytes.length };
}

function bytesIfThere(file: string): Uint8Array | undefined {
  return withFile(file, () => {
    try {
      return readFileSync(file);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}
