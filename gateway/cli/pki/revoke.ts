import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Authority, WhyRevoked } from '../../../pki/ca/authority.ts';
import type { CertificateRecord } from '../../../pki/ca/certificates.ts';
import type { TenantAuthorities } from '../../../pki/ca/open.ts';
import { pkiError } from '../../../pki/errors.ts';
import { deviceIdentityFile } from '../../../pki/files/layout.ts';
import { readDeviceIdentity } from '../../../pki/identity.ts';
import { publishNotice } from '../../../pki/notice/file.ts';
import { readOfficeIdentity } from '../../../pki/office/identity.ts';
import { REVOCATION_REASONS, type RevocationReason } from '../../../pki/x509/crl.ts';
import { isPersonName } from '../../../pki/x509/names.ts';
import { derOf } from '../../../pki/x509/pem.ts';
import { isDeviceId, type TenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { atTenant, openedPki, recordView, tenantOf, tenantsOf, withTenant } from './opened.ts';
import { columns, print, printJson } from './print.ts';
import { asker } from './secrets.ts';

/** `hes pki revoke`: a certificate, everything of a device, or everything of a person; in force as the list is read. */

export interface RevokeFlags extends PkiFlags {
  readonly reason: string;
  readonly invalidSince?: string;
}

type Opened = TenantAuthorities & { readonly pki: Awaited<ReturnType<typeof openedPki>> };

/** A person has two certificates, renewed each year. */
const PERSON_CERTIFICATES_MAX = 1_000;

/** @throws ERR_USAGE, ERR_CA_CERTIFICATE, ERR_PKI_* */
export async function pkiRevoke(what: string, flags: RevokeFlags): Promise<void> {
  const { reason } = flags;
  if (!isReason(reason)) throw usage(`--reason takes ${Object.keys(REVOCATION_REASONS).join(', ')}`);
  const invalidSinceMs = invalidSinceOf(flags.invalidSince, Date.now());
  const why = { reason, invalidSinceMs, by: asker() };
  const tenant = tenantOf(flags);
  const { records, after, files } = await atTenant(flags, tenant, (opened) => {
    adoptOlder(what, tenant, opened, flags.data ?? '.hes');
    const found = recordsOf(what, tenant, opened);
    if (found.length === 0)
      throw pkiError(
        'ERR_CA_CERTIFICATE',
        `${tenant} has issued nothing to ${what} that is not revoked already (hes pki crl writes the lists again)`,
      );
    if (flags.dryRun !== true) {
      revoke(what, found, opened, why);
      // Devices read no list: where somebody of the office was revoked, they are told before the next command.
      const { pki } = opened;
      publishNotice(pki, tenant, opened, { nowMs: Date.now(), by: why.by });
    }
    const { layout } = opened.pki;
    const { certificates } = opened.register;
    const after = found.map((record) => certificates.find(record.issuer, record.serial) ?? record);
    return {
      records: found,
      after,
      files: [layout.crl(tenant), layout.office.crl(tenant), layout.notice(tenant)],
    };
  });
  if (flags.json === true) {
    const invalidSince = invalidSinceMs === undefined ? null : new Date(invalidSinceMs).toISOString();
    const revoked = after.map((record) => recordView(tenant, record));
    printJson({ tenant, reason, invalidSince, dryRun: flags.dryRun === true, revoked, files });
    return;
  }
  const views = records.map((record) => recordView(tenant, record));
  print(
    columns(views.map(({ serial, profile, subject, state }) => [serial, profile, subject, `was ${state}`])),
  );
  print(
    flags.dryRun === true
      ? 'These would be revoked; nothing was changed.'
      : `Revoked (${reason}). Fronts, routers and desks that read these lists act on it at their next look, within a
minute, or at once by \`systemctl reload\`, also for sessions that are open; take them to other machines now:
  ${files.join('\n  ')}`,
  );
}

/** A day begins at midnight UTC, which is before it begins here: rather too early than too late. */
const MOMENT = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/;

/** @throws ERR_USAGE where it is no moment, or is still to come: nobody revokes for later */
function invalidSinceOf(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const ms = MOMENT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw usage(
      '--invalid-since takes a day, 2026-11-24, or a moment with its zone, 2026-11-24T14:30:00+01:00',
    );
  if (ms > nowMs) throw usage('--invalid-since is still to come: a revocation holds from now on');
  return ms;
}

const isReason = (text: string): text is RevocationReason => Object.hasOwn(REVOCATION_REASONS, text);

function recordsOf(what: string, tenant: TenantId, { register, field, office }: Opened): CertificateRecord[] {
  const { certificates } = register;
  const mine = (record: CertificateRecord | undefined): CertificateRecord[] =>
    record !== undefined && record.state !== 'revoked' ? [record] : [];
  if (isDeviceId(what))
    return certificates
      .list({ filter: { device: what }, limit: PERSON_CERTIFICATES_MAX })
      .flatMap((record) => mine(record));
  const serial = what.toLowerCase().replaceAll(':', '').replace(/^0+/, '');
  const bySerial = [...field.keyIds, ...office.keyIds]
    .map((keyId) => certificates.find(keyId, serial))
    .find((record) => record !== undefined);
  if (bySerial !== undefined) return mine(bySerial);
  const name = personOf(what);
  return (['personSign', 'personTls'] as const)
    .flatMap((profile) => certificates.list({ filter: { profile }, limit: PERSON_CERTIFICATES_MAX }))
    .filter(({ subject, uri }) => subject === name && uri.startsWith(`urn:hes:${tenant}:office:`))
    .flatMap((record) => mine(record));
}

/** `ores/operator` or `operator`. */
const personOf = (what: string): string => what.slice(what.indexOf('/') + 1);

function revoke(
  what: string,
  records: readonly CertificateRecord[],
  { field, office }: Opened,
  why: WhyRevoked,
): void {
  if (isDeviceId(what)) {
    field.revokeDevice(what, why);
    return;
  }
  const of = (record: CertificateRecord): Authority => (field.keyIds.has(record.issuer) ? field : office);
  for (const record of records) of(record).revoke(record.serial, why);
}

/**
 * Devices and people of development were made without a register; what is known of them are their identities in the
 * data folder. A dry run enters them, too: that changes nothing for anybody.
 */
function adoptOlder(what: string, tenant: TenantId, { pki, field, office }: Opened, data: string): void {
  if (!pki.development) return;
  if (isDeviceId(what)) {
    const file = deviceIdentityFile(join(data, 'devices'), what);
    if (!existsSync(file)) return;
    const identity = readDeviceIdentity(file);
    if (identity.home !== tenant) return;
    for (const which of ['tls', 'sign', 'agree'] as const)
      field.adopt(derOf('CERTIFICATE', identity[which].certificate), 'development');
    return;
  }
  const file = pki.layout.office.person(tenant, personOf(what)).identity;
  if (!isPersonName(personOf(what)) || !existsSync(file)) return;
  const identity = readOfficeIdentity(file);
  for (const which of ['sign', 'tls'] as const)
    office.adopt(derOf('CERTIFICATE', identity[which].certificate), 'development');
}

/** `hes pki crl`: lists of today, of every operator that is meant. @throws ERR_PKI_*, ERR_CA_* */
export async function pkiCrl(flags: PkiFlags): Promise<void> {
  const published: { readonly file: string; readonly bytes: number; readonly nextUpdate: string | null }[] =
    [];
  const pki = await openedPki(flags);
  for (const tenant of tenantsOf(flags))
    withTenant(pki, tenant, ({ field, office, register }) => {
      for (const [authority, file] of [
        [field, pki.layout.crl(tenant)],
        [office, pki.layout.office.crl(tenant)],
      ] as const) {
        const bytes = authority.publishCrl(asker()).length;
        const next = register.crl(authority.keyId)?.nextUpdateMs;
        published.push({ file, bytes, nextUpdate: next === undefined ? null : new Date(next).toISOString() });
      }
    });
  if (flags.json === true) printJson({ published });
  else print(columns(published.map(({ file, nextUpdate }) => [file, `good until ${nextUpdate ?? '?'}`])));
}
