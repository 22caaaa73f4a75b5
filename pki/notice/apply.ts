import type { TenantId } from '../../protocol/identity.ts';
import { checkNoticeSize, decodeClaimedNotice, verifyNotice } from '../../protocol/notice.ts';
import { readSigner } from '../../protocol/signed.ts';
import { pkiError } from '../errors.ts';
import type { DeviceIdentity, OfficeAnchors, OwnerKey } from '../identity.ts';
import { checkValidity, pinAuthorities } from '../verify/anchors.ts';
import { recipientOf, sealingKid } from '../verify/sealing.ts';
import { OFFICE } from '../verify/worlds.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { equalBytes } from '../x509/der.ts';
import { derOf, readPem, toPem } from '../x509/pem.ts';

/**
 * What a device makes of a notice of one of its tenants (docs/adr/0182). Whoever can make it believe one reads its
 * readings and may command it, so all of it hangs under the field root that the device was born with, nothing of
 * another tenant is touched, and nothing goes back.
 */

/** A notice that holds: what its tenant says, for whichever device of it. */
export interface CheckedNotice {
  readonly tenant: TenantId;
  readonly number: number;
  /** Of the issuing CA that signed: a CA that was replaced cannot take its devices back. */
  readonly issuerNotBeforeMs: number;
  readonly owner: OwnerKey;
  /** PEM: the root, and the issuing CAs of this tenant one after the other. */
  readonly office: { readonly root: string; readonly issuers: string };
  /** Lower-case hex. */
  readonly revokedPeople: readonly string[];
}

export interface NoticeOptions {
  /** Whose topic it came by. */
  readonly tenant: TenantId;
  readonly atMs: number;
  readonly development?: boolean;
}

/**
 * Check a notice up to the field root, without any device.
 * @throws ERR_NOTICE_*, ERR_ENVELOPE_SIGNED, ERR_ENVELOPE_SIGNATURE, ERR_TRUST_*
 */
export function readNotice(
  signed: Uint8Array,
  { tenant, root, atMs, development = false }: NoticeOptions & { readonly root: string | Uint8Array },
): CheckedNotice {
  checkNoticeSize(signed);
  const issuer = readSigner(signed);
  const field = pinAuthorities({ root, issuers: [{ tenant, certificate: issuer }], development });
  const [authority] = [...field.authorities.values()];
  checkValidity([field.root, authority!.certificate], atMs);
  const notice = verifyNotice({ signed, tenant, publicKey: authority!.publicKey });
  const certificate = toPem('CERTIFICATE', notice.sealing) + toPem('CERTIFICATE', issuer);
  const { kid } = recipientOf(certificate, { tenant, root, atMs, development });
  const office = pinAuthorities({
    root: notice.officeRoot,
    issuers: notice.officeIssuers.map((der) => ({ tenant, certificate: der })),
    development,
    world: OFFICE,
  });
  const cas = [...office.authorities.values()].map((ca) => ca.certificate);
  checkValidity([office.root, ...cas], atMs);
  return {
    tenant,
    number: notice.number,
    issuerNotBeforeMs: authority!.certificate.notBeforeMs,
    owner: { kid: Buffer.from(kid).toString('hex'), certificate },
    office: {
      root: toPem('CERTIFICATE', notice.officeRoot),
      issuers: notice.officeIssuers.map((der) => toPem('CERTIFICATE', der)).join(''),
    },
    revokedPeople: notice.revokedPeople.map((serial) => Buffer.from(serial).toString('hex')),
  };
}

/**
 * The identity with what a notice says of its tenant; the same object where its number is not higher than the last.
 * @throws ERR_TRUST_TENANT where the device has nothing of this tenant; ERR_TRUST_NOTICE where it would go back to an
 *   older issuing CA, or name another office root than the one that all tenants of the device share
 */
export function withNotice(identity: DeviceIdentity, notice: CheckedNotice): DeviceIdentity {
  const { tenant, number, owner } = notice;
  if (identity.home !== tenant && !identity.guests.includes(tenant))
    throw pkiError('ERR_TRUST_TENANT', 'the notice of a tenant that has nothing at this device');
  if (number <= (identity.notices?.[tenant] ?? 0)) return identity;
  if (notice.issuerNotBeforeMs < issuerNotBeforeMs(identity.owners[tenant]))
    throw pkiError('ERR_TRUST_NOTICE', 'the notice is signed by an older issuing CA than the one in use', {
      context: { tenant },
    });
  return {
    ...identity,
    owners: { ...identity.owners, [tenant]: owner },
    office: officeWith(identity.office, notice),
    notices: { ...identity.notices, [tenant]: number },
    revokedPeople: { ...identity.revokedPeople, [tenant]: notice.revokedPeople },
  };
}

/**
 * Take a notice: a new identity, or the same object where there is nothing new in it.
 * @throws as `readNotice` and `withNotice`; the identity stays as it is
 */
export function applyNotice(
  identity: DeviceIdentity,
  signed: Uint8Array,
  options: NoticeOptions,
): DeviceIdentity {
  return withNotice(identity, readNotice(signed, { ...options, root: identity.root }));
}

/** The name of the key that a notice announces, hex; nothing of it is verified. @throws ERR_NOTICE_*, ERR_TRUST_* */
export function noticeSealingKid(signed: Uint8Array): string {
  checkNoticeSize(signed);
  const { sealing } = decodeClaimedNotice(signed);
  return Buffer.from(sealingKid(parseCertificate(sealing).spki)).toString('hex');
}

function issuerNotBeforeMs(owner: OwnerKey | undefined): number {
  const issuer = owner === undefined ? undefined : readPem('CERTIFICATE', owner.certificate)[1];
  return issuer === undefined ? 0 : parseCertificate(issuer).notBeforeMs;
}

function officeWith(known: OfficeAnchors | undefined, { tenant, office }: CheckedNotice): OfficeAnchors {
  if (known !== undefined && !equalBytes(derOf('CERTIFICATE', known.root), derOf('CERTIFICATE', office.root)))
    throw pkiError('ERR_TRUST_NOTICE', 'the notice names another office root: enrol the device again', {
      context: { tenant },
    });
  return { root: known?.root ?? office.root, issuers: { ...known?.issuers, [tenant]: office.issuers } };
}
