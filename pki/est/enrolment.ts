import type { X509Certificate } from 'node:crypto';
import type { DeviceId } from '../../protocol/identity.ts';
import type { Authority, Issued } from '../ca/authority.ts';
import type { CertificateRecord } from '../ca/certificates.ts';
import type { ExpectedDevice } from '../ca/expected.ts';
import { CREDENTIALS, type CredentialName } from '../enrolment/request.ts';
import { type CertificateRequest, keyHash, readCertificateRequest } from '../enrolment/request-check.ts';
import { pkiError } from '../errors.ts';
import { type Certificate, parseCertificate } from '../x509/certificate.ts';
import { equalBytes } from '../x509/der.ts';
import { toPem } from '../x509/pem.ts';
import { PURPOSE } from '../x509/profiles.ts';

/**
 * Who gets which certificate (RFC 7030 §2.2, §4.2). A device enrols its three keys apart, each under the label of its
 * use. Names and tenants are the register's and never the request's; the use is the label's.
 */
export interface Enrolment {
  /** First enrolment by a one-time code. @throws ERR_CA_CODE, ERR_CA_DEVICE, ERR_CA_KEY, ERR_ENROL_REQUEST, ERR_ENROL_KEY */
  byCode(use: CredentialName, code: string, request: Uint8Array): Issued;
  /** First enrolment by a manufacturer's certificate. @throws as `byCode`, ERR_EST_CLIENT, ERR_EST_ENROLLED */
  byBirth(use: CredentialName, peer: X509Certificate, request: Uint8Array): Issued;
  /** Renewal by the certificate of TLS that is in use. @throws as `byCode`, ERR_EST_CLIENT, ERR_EST_ENROLLED, ERR_CA_CERTIFICATE */
  again(use: CredentialName, peer: X509Certificate, request: Uint8Array): Issued;
}

/** One CA may have certified a device often; these are the ones in use. */
const IN_USE_MAX = 100;

export function createEnrolment(options: {
  readonly authority: Authority;
  /** The CAs that sign birth certificates themselves, not the roots above them. */
  readonly manufacturers: readonly X509Certificate[];
  readonly clock: { nowMs(): number };
  /** See EstOptions. */
  readonly adopt?: ((certificate: Uint8Array) => void) | undefined;
}): Enrolment {
  const { authority, manufacturers, clock, adopt } = options;
  const { register, keyIds } = authority;

  const issue = (use: CredentialName, { device }: ExpectedDevice, { spki }: CertificateRequest) =>
    authority.issue({ profile: CREDENTIALS[use].name, publicKey: spki, name: { device }, by: 'est' });

  const inUse = (device: DeviceId, use: CredentialName): readonly CertificateRecord[] =>
    register.certificates
      .list({
        filter: { device, profile: CREDENTIALS[use].name, endAfterMs: clock.nowMs() },
        limit: IN_USE_MAX,
      })
      .filter(({ issuer, state }) => keyIds.has(issuer) && state !== 'revoked');

  /** A birth certificate is for life and lies in every meter's flash: it opens the door once. */
  const checkFirst = (use: CredentialName, device: DeviceId, { spki }: CertificateRequest): void => {
    const key = keyHash(spki);
    const others = inUse(device, use);
    if (others.length > 0 && !others.some((record) => record.keyHash === key))
      throw pkiError(
        'ERR_EST_ENROLLED',
        'this device has a certificate for this use: renew by it, or have it revoked first',
      );
  };

  return {
    byCode(use, code, der) {
      const request = readRequest(der);
      const about = { use, keyHash: keyHash(request.spki), nowMs: clock.nowMs() };
      return register.transaction(() => issue(use, register.devices.useCode(code, about), request));
    },
    byBirth(use, peer, der) {
      const request = readRequest(der);
      if (!isBirth(peer, manufacturers, clock.nowMs()))
        throw pkiError('ERR_EST_CLIENT', 'the client certificate is no birth certificate of a manufacturer');
      return register.transaction(() => {
        const device =
          register.devices.byBirthKey(birthKeyOf(peer)) ?? register.devices.bySerial(serialOf(peer));
        if (device === undefined)
          throw pkiError('ERR_CA_DEVICE', 'nobody registered a device with this birth certificate');
        checkFirst(use, device.device, request);
        return issue(use, device, request);
      });
    },
    again(use, peer, der) {
      const request = readRequest(der);
      return register.transaction(() => {
        if (adopt !== undefined && !isRegistered(peer, authority)) adopt(peer.raw);
        const device = holderOf(peer, authority, clock.nowMs());
        if (request.commonName !== null && request.commonName !== device)
          throw pkiError('ERR_ENROL_REQUEST', 'the request names another device than its certificate');
        const key = keyHash(request.spki);
        // The one of this very key is the answer to a request whose answer was lost.
        const old = inUse(device, use).findLast((record) => record.keyHash !== key);
        // Of an adopted device only the certificate that it came with is there.
        const expected = adopt === undefined ? undefined : register.devices.find(device);
        if (old === undefined && expected !== undefined) return issue(use, expected, request);
        if (old === undefined)
          throw pkiError('ERR_EST_ENROLLED', 'there is no certificate in use that this one could follow');
        return authority.renew({ certificate: old.der, publicKey: request.spki, by: 'est' });
      });
    },
  };
}

const readRequest = (der: Uint8Array): CertificateRequest =>
  readCertificateRequest(toPem('CERTIFICATE REQUEST', der));

/** RFC 5280 §4.2.1.12: without any purpose it is for every one. */
const CLIENT_AUTH: string = PURPOSE.clientAuth;

/** Below a listed CA directly: which sub-CAs a manufacturer has is his to say, and ours to list. */
function isBirth(peer: X509Certificate, manufacturers: readonly X509Certificate[], nowMs: number): boolean {
  const isValid = nowMs >= peer.validFromDate.getTime() && nowMs <= peer.validToDate.getTime();
  const purposes: readonly string[] | undefined = peer.keyUsage;
  return (
    isValid &&
    !peer.ca &&
    (purposes === undefined || purposes.includes(CLIENT_AUTH)) &&
    manufacturers.some((ca) => peer.checkIssued(ca) && peer.verify(ca.publicKey))
  );
}

const birthKeyOf = ({ publicKey }: X509Certificate): string =>
  keyHash(publicKey.export({ type: 'spki', format: 'der' }));

/** X.520 serialNumber of the subject; empty where there is none or more than one, which nobody is registered under. */
function serialOf(peer: X509Certificate): string {
  const { serialNumber } = peer.toLegacyObject().subject as unknown as Record<string, unknown>;
  return typeof serialNumber === 'string' ? serialNumber : '';
}

const isRegistered = ({ raw }: X509Certificate, authority: Authority): boolean =>
  recordOf(parseCertificate(raw), authority) !== undefined;

/** Of whichever of its CAs: during a roll-over there are two. */
const recordOf = (
  { authorityKeyId, serial }: Certificate,
  { register, keyIds }: Authority,
): CertificateRecord | undefined =>
  authorityKeyId !== null && keyIds.has(authorityKeyId)
    ? register.certificates.find(authorityKeyId, serial)
    : undefined;

/** Byte for byte the one of the register, which holds what this CA signed. @throws ERR_EST_CLIENT, ERR_TRUST_MALFORMED */
function holderOf(peer: X509Certificate, authority: Authority, nowMs: number): DeviceId {
  const certificate = parseCertificate(peer.raw);
  const record = recordOf(certificate, authority);
  const refused = (why: string) => pkiError('ERR_EST_CLIENT', `the client certificate ${why}`);
  if (record?.device == null || !equalBytes(record.der, certificate.der))
    throw refused('is none that this CA gave to a device');
  if (record.profile !== CREDENTIALS.tls.name) throw refused('is not that of TLS');
  if (record.state === 'revoked') throw refused('was revoked');
  if (nowMs > record.notAfterMs) throw refused('is past its end');
  return record.device;
}
