import { createPublicKey } from 'node:crypto';
import { type DeviceId, parseDeviceUri, type TenantId } from '../../protocol/identity.ts';
import { CLOCK_SKEW_MS } from '../development/making.ts';
import { keyHash } from '../enrolment/request-check.ts';
import { pkiError } from '../errors.ts';
import { hasProfile, isNamed, openX509 } from '../verify/anchors.ts';
import { type Certificate, P256_SPKI_PREFIX, parseCertificate } from '../x509/certificate.ts';
import { certify, type Names, type SigningAuthority, type Subject } from '../x509/certify.ts';
import type { RevocationReason } from '../x509/crl.ts';
import { equalBytes } from '../x509/der.ts';
import { HEAD_END_URI, issuingUri, officeIssuingUri } from '../x509/names.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES, type ProfileName } from '../x509/profiles.ts';
import type { CertificateRecord } from './certificates.ts';
import { publishCrl } from './publish.ts';
import type { Register } from './register.ts';
import { ISSUE_ROWS, type IssueName, type IssueRow } from './rows.ts';

/** A certificate that was handed out. */
export interface Issued {
  readonly certificate: Uint8Array;
  readonly pem: string;
  readonly serial: string;
  readonly record: CertificateRecord;
  /** Whether it was there already: the same key for the same name. */
  readonly again: boolean;
}

/** Why something is taken back, and who asked. */
export interface WhyRevoked {
  readonly reason: RevocationReason;
  readonly by: string;
  /** RFC 5280 §5.3.2: since when the key may have been in other hands. It tells; it is not acted on (docs/adr/0187). */
  readonly invalidSinceMs?: number | undefined;
}

export interface AuthorityOptions {
  readonly register: Register;
  /** Left out for the head-end's own CA. */
  readonly tenant?: TenantId;
  readonly issuer: SigningAuthority;
  /** During a roll-over the CA that was, or that comes: what it certified is renewed and taken back here, too. */
  readonly others?: readonly SigningAuthority[];
  readonly clock: { nowMs(): number };
  /** The list that each revocation is written to at once. */
  readonly crl?: { readonly file: string; readonly validityMs: number };
  /** 128 random bits, unless told: as a source that is broken would not give them. */
  readonly newSerial?: () => Uint8Array;
}

/** When somebody should begin to care, in days: as status, metrics and `hes pki expiring` say it. */
export const WARN_DAYS = [7, 30, 90] as const;
const DAY_MS = 86_400_000;
/** Of certificates in use: past their end, and by the days that are left. */
export type ExpiryCounts = Readonly<Record<'over' | `within${(typeof WARN_DAYS)[number]}`, number>>;

/** An issuing CA at work. Each of its steps is one transaction with its row of the audit. */
export interface Authority {
  readonly register: Register;
  readonly tenant: TenantId | undefined;
  readonly issuer: SigningAuthority;
  /** Key identifier, hex. */
  readonly keyId: string;
  /** Of this CA and, during a roll-over, of the other one. */
  readonly keyIds: ReadonlySet<string>;
  /** @throws ERR_CA_PROFILE, ERR_CA_DEVICE (not expected), ERR_CA_KEY, ERR_PKI_EXPIRED, ERR_CA_REGISTER */
  issue(request: {
    readonly profile: ProfileName;
    /** SubjectPublicKeyInfo, DER. Whoever calls has seen that its holder has the private key. */
    readonly publicKey: Uint8Array;
    readonly name: IssueName;
    /** For the audit: who asked. */
    readonly by: string;
    readonly notAfterMs?: number;
  }): Issued;
  /**
   * The same name and use for a new key. The old certificate stays good until its end: a device changes over when it
   * can. @throws ERR_CA_CERTIFICATE (unknown, revoked, over), and as `issue`
   */
  renew(request: {
    readonly certificate: Uint8Array;
    readonly publicKey: Uint8Array;
    readonly by: string;
  }): Issued;
  /** @returns whether it was not revoked before @throws ERR_CA_CERTIFICATE */
  revoke(serial: string, why: WhyRevoked): boolean;
  /** Every certificate of a device that is not over yet; it is expected no longer. @returns how many */
  revokeDevice(device: DeviceId, why: WhyRevoked): number;
  /** Enter a certificate that this CA issued before it had a register. @throws ERR_CA_CERTIFICATE, ERR_CA_KEY */
  adopt(certificate: Uint8Array, by: string): CertificateRecord;
  /** How many certificates of the register end within the days that somebody is warned of; each counts once. */
  expiryCounts(): ExpiryCounts;
  /** Sign a list of today, of each CA, and put them in their place. @returns its DER @throws ERR_PKI_BUSY, ERR_PKI_DAMAGED */
  publishCrl(by: string): Uint8Array;
}

/** Which CA a certificate is the CA of. */
const CA_URIS: Readonly<Record<IssueRow['issuer'], (tenant: TenantId | undefined) => string>> = {
  issuing: (tenant) => (tenant === undefined ? '' : issuingUri(tenant)),
  headEnd: () => HEAD_END_URI,
  officeIssuing: (tenant) => (tenant === undefined ? '' : officeIssuingUri(tenant)),
};

/** @throws ERR_CA_PROFILE where `issuer` is no issuing CA of this tenant, or the register is another's */
export function createAuthority(options: AuthorityOptions): Authority {
  const { register, tenant, issuer, others = [], clock } = options;
  const keyId = issuer.certificate.subjectKeyId;
  const isKind = (name: IssueRow['issuer'], { certificate }: SigningAuthority): boolean =>
    hasProfile(certificate, PROFILES[name]) && isNamed(certificate, CA_URIS[name](tenant));
  const kind = (Object.keys(CA_URIS) as IssueRow['issuer'][]).find((name) => isKind(name, issuer));
  if (kind === undefined || keyId === null || register.owner !== (tenant ?? 'head-end'))
    throw pkiError('ERR_CA_PROFILE', `this is no issuing CA of ${tenant ?? 'the head-end'}`);
  const { certificates, writes, devices, audit } = register;
  const all = new Map([[keyId, issuer]]);
  for (const other of others) {
    const { subjectKeyId } = other.certificate;
    if (subjectKeyId === null || !isKind(kind, other))
      throw pkiError('ERR_CA_PROFILE', `this is no other issuing CA of ${tenant ?? 'the head-end'}`);
    all.set(subjectKeyId, other);
  }
  const keyIds: ReadonlySet<string> = new Set(all.keys());

  const enter = (
    certificate: Certificate,
    profile: ProfileName,
    by: string,
    event: 'issued' | 'renewed' | 'adopted',
  ): CertificateRecord => {
    const { serial, spki, notBeforeMs, notAfterMs, der, alternativeNames } = certificate;
    const uri = alternativeNames.uris[0] ?? '';
    const atMs = clock.nowMs();
    // Its own, or that of the other CA where one of its is adopted.
    const issuedBy = certificate.authorityKeyId ?? keyId;
    if (certificates.find(issuedBy, serial) !== undefined)
      throw pkiError('ERR_CA_SERIAL', 'this CA has given this serial number to another certificate');
    writes.add({
      issuer: issuedBy,
      serial,
      profile,
      subject: certificate.commonName ?? '',
      uri,
      device: parseDeviceUri(uri)?.device ?? null,
      keyHash: keyHash(spki),
      notBeforeMs,
      notAfterMs,
      issuedAtMs: atMs,
      der,
    });
    audit.append({ atMs, event, by, profile, subject: uri, serial });
    return certificates.find(issuedBy, serial)!;
  };

  const sign = (
    profile: ProfileName,
    what: { readonly subject: Subject; readonly names: Names },
    request: { readonly publicKey: Uint8Array; readonly by: string; readonly notAfterMs?: number },
    event: 'issued' | 'renewed',
  ): Issued => {
    const nowMs = clock.nowMs();
    if (nowMs > issuer.certificate.notAfterMs)
      throw pkiError('ERR_PKI_EXPIRED', 'the issuing CA is past its end and issues nothing');
    checkKey(request.publicKey);
    const before = certificates.byKey(keyHash(request.publicKey));
    if (before !== undefined) return issuedAgain(before, profile, what.names, keyIds);
    const der = certify(issuer, {
      profile: PROFILES[profile],
      ...what,
      spki: request.publicKey,
      notBeforeMs: nowMs - CLOCK_SKEW_MS,
      ...(options.newSerial === undefined ? {} : { serial: options.newSerial() }),
      ...(request.notAfterMs === undefined ? {} : { notAfterMs: request.notAfterMs }),
    });
    const certificate = parseCertificate(der);
    // Held against the table once more as its readers will: what would be refused later is not handed out.
    if (!hasProfile(certificate, PROFILES[profile]) || certificate.commonName !== what.subject.commonName)
      throw pkiError('ERR_CA_PROFILE', `what was made is no certificate of the profile ${profile}`);
    return issuedOf(enter(certificate, profile, request.by, event), false);
  };

  const rowOf = (profile: ProfileName): IssueRow => {
    const row = ISSUE_ROWS[profile];
    if (row?.issuer !== kind)
      throw pkiError('ERR_CA_PROFILE', `this CA issues no certificate of the profile ${profile}`);
    return row;
  };

  const naming = (profile: ProfileName, name: IssueName) => {
    const row = rowOf(profile);
    const expected = row.device ? expectedOf(name.device) : undefined;
    return row.subject({ tenant, name, expected });
  };

  const expectedOf = (device: DeviceId | undefined) => {
    const expected = device === undefined ? undefined : devices.find(device);
    if (expected === undefined || expected.retiredAtMs !== null || expected.home !== tenant)
      throw pkiError('ERR_CA_DEVICE', 'this device is not expected here: it has to be registered first');
    return expected;
  };

  const known = (serial: string): CertificateRecord => {
    const record = [...keyIds]
      .map((each) => certificates.find(each, serial))
      .find((found) => found !== undefined);
    if (record === undefined)
      throw pkiError('ERR_CA_CERTIFICATE', `this CA has issued no certificate ${serial}`);
    return record;
  };

  const takeBack = (record: CertificateRecord, why: WhyRevoked): boolean => {
    if (record.state === 'revoked') return false;
    const atMs = clock.nowMs();
    const { by, reason, invalidSinceMs } = why;
    const { profile, uri: subject, serial } = record;
    const since = invalidSinceMs === undefined ? '' : ` since ${new Date(invalidSinceMs).toISOString()}`;
    writes.revoke(record, { atMs, reason, invalidSinceMs });
    audit.append({ atMs, event: 'revoked', by, profile, subject, serial, reason: `${reason}${since}` });
    return true;
  };

  const publish = (by: string): Uint8Array => {
    const lists = [...all].map(([each, ca]) => publishCrl({ ...options, issuer: ca, keyId: each }, by));
    return lists[0]!;
  };
  const publishIfKept = (by: string): void => {
    if (options.crl !== undefined) publish(by);
  };

  return {
    register,
    tenant,
    issuer,
    keyId,
    keyIds,
    issue: (request) =>
      register.transaction(() =>
        sign(request.profile, naming(request.profile, request.name), request, 'issued'),
      ),
    renew: (request) =>
      register.transaction(() => {
        const old = renewable(parseCertificate(request.certificate), known, clock.nowMs());
        const { profile, device } = old;
        const issued = sign(
          profile,
          rowOf(profile).device && device !== null ? naming(profile, { device }) : sameNames(old),
          request,
          'renewed',
        );
        if (issued.record.seq === old.seq)
          throw pkiError('ERR_CA_KEY', 'a renewal is for a new key: this is the old one');
        writes.replace(old, issued.serial);
        return issued;
      }),
    revoke(serial, why) {
      const done = register.transaction(() => takeBack(known(serial), why));
      publishIfKept(why.by);
      return done;
    },
    revokeDevice(device, why) {
      const count = register.transaction(() => {
        devices.retire(device, why.by);
        const listed = certificates.list({ filter: { device }, limit: DEVICE_CERTIFICATES_MAX });
        return listed.filter((record) => keyIds.has(record.issuer) && takeBack(record, why)).length;
      });
      publishIfKept(why.by);
      return count;
    },
    adopt: (der, by) =>
      register.transaction(() => {
        const certificate = parseCertificate(der);
        const profile = (Object.keys(ISSUE_ROWS) as ProfileName[]).find(
          (name) => ISSUE_ROWS[name]?.issuer === kind && hasProfile(certificate, PROFILES[name]),
        );
        const ca = all.get(certificate.authorityKeyId ?? '');
        if (
          profile === undefined ||
          ca === undefined ||
          !openX509(der).verify(openX509(ca.certificate.der).publicKey)
        )
          throw pkiError('ERR_CA_CERTIFICATE', 'this CA did not issue this certificate');
        const before = certificates.find(certificate.authorityKeyId ?? '', certificate.serial);
        if (before !== undefined && equalBytes(before.der, der)) return before;
        if (certificates.byKey(keyHash(certificate.spki)) !== undefined)
          throw pkiError('ERR_CA_KEY', 'the key of this certificate has another one in the register');
        return enter(certificate, profile, by, 'adopted');
      }),
    expiryCounts() {
      const nowMs = clock.nowMs();
      const [week, month, quarter] = WARN_DAYS.map((days) => nowMs + days * DAY_MS) as [
        number,
        number,
        number,
      ];
      return {
        over: certificates.countExpiring(0, nowMs),
        within7: certificates.countExpiring(nowMs, week),
        within30: certificates.countExpiring(week, month),
        within90: certificates.countExpiring(month, quarter),
      };
    },
    publishCrl: publish,
  };
}

/** Three keys, renewed every few years for twenty, and as often again by hand. */
const DEVICE_CERTIFICATES_MAX = 1_000;

function checkKey(spki: Uint8Array): void {
  if (!equalBytes(spki.subarray(0, P256_SPKI_PREFIX.length), P256_SPKI_PREFIX))
    throw pkiError('ERR_CA_KEY', 'the key is no P-256 key');
  try {
    createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw pkiError('ERR_CA_KEY', 'the key is no point of P-256', { cause });
  }
}

/** A lost answer is asked for again; anything else under a key that was certified once is refused. */
function issuedAgain(
  before: CertificateRecord,
  profile: ProfileName,
  names: Names,
  keyIds: ReadonlySet<string>,
): Issued {
  const uris = parseCertificate(before.der).alternativeNames.uris.join();
  if (!keyIds.has(before.issuer) || before.profile !== profile || uris !== (names.uris ?? []).join())
    throw pkiError('ERR_CA_KEY', 'this key was certified before, for another use or name');
  if (before.state === 'revoked') throw pkiError('ERR_CA_KEY', 'the certificate of this key was revoked');
  return issuedOf(before, true);
}

function issuedOf(record: CertificateRecord, again: boolean): Issued {
  const { der, serial } = record;
  return { certificate: der, pem: toPem('CERTIFICATE', der), serial, record, again };
}

function renewable(
  certificate: Certificate,
  known: (serial: string) => CertificateRecord,
  nowMs: number,
): CertificateRecord {
  const record = known(certificate.serial);
  if (!equalBytes(record.der, certificate.der))
    throw pkiError('ERR_CA_CERTIFICATE', 'this is not the certificate of that serial');
  if (record.state === 'revoked') throw pkiError('ERR_CA_CERTIFICATE', 'the certificate was revoked');
  if (nowMs > record.notAfterMs) throw pkiError('ERR_CA_CERTIFICATE', 'the certificate is past its end');
  return record;
}

function sameNames(record: CertificateRecord): { readonly subject: Subject; readonly names: Names } {
  const { commonName, alternativeNames } = parseCertificate(record.der);
  const { uris, dns, addresses } = alternativeNames;
  return {
    subject: { commonName: commonName ?? '' },
    names: { uris, dns, addresses: addresses.map((hex) => Buffer.from(hex, 'hex')) },
  };
}
