import { createPrivateKey, createPublicKey } from 'node:crypto';
import { deviceUri, type TenantId } from '../protocol/identity.ts';
import { CREDENTIAL_NAMES, CREDENTIALS, type CredentialName } from './enrolment/request.ts';
import { pkiError } from './errors.ts';
import type { DeviceIdentity, KeyAndCertificate } from './identity.ts';
import { DeviceVerifier } from './verify/device-certificate.ts';
import { Ground } from './verify/ground.ts';
import { parseCertificate } from './x509/certificate.ts';
import { newKeyPair } from './x509/certify.ts';
import { equalBytes } from './x509/der.ts';
import { derOf, readPem, toPem } from './x509/pem.ts';

/**
 * The face of this room for a device: it makes keys and requests and judges what is answered to them. Nothing here can
 * issue a certificate. What writes PKCS#10 and what speaks HTTPS is loaded when a key is renewed, every few years.
 */
export { type EstClient, type EstClientOptions, estClient, isEstUrl } from './est/client.ts';
export { AGREE_BEFORE_MAX, replaceDeviceIdentity } from './identity.ts';
export const DEVICE_KEYS: readonly CredentialName[] = CREDENTIAL_NAMES;
export type DeviceKeyName = CredentialName;

const DAY_MS = 86_400_000;
/** A device's clock may be so far behind that of its CA: a certificate of now is not refused for it. */
const CLOCK_BEHIND_MS_MAX = DAY_MS;

/** A new P-256 key, PKCS#8 PEM. */
export const newDeviceKey = (): string => newKeyPair().privateKeyPem;

/** The period of a certificate of our own (PEM). @throws ERR_TRUST_MALFORMED */
export function certificatePeriod(pem: string): {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
} {
  const { notBeforeMs, notAfterMs } = parseCertificate(derOf('CERTIFICATE', pem));
  return { notBeforeMs, notAfterMs };
}

/**
 * When the home's present issuing CA began, where this certificate (PEM) is of an earlier one: then it will have to be
 * one of the present. Null otherwise. What a device knows of its home's CA it knows by notices (notice-apply.ts).
 */
export function succeededAtMs(
  identity: Pick<DeviceIdentity, 'home' | 'owners'>,
  certificate: string,
): number | null {
  const [known] = knownAuthorities(identity);
  if (known === undefined) return null;
  const { subjectKeyId, notBeforeMs } = parseCertificate(known);
  const own = parseCertificate(derOf('CERTIFICATE', certificate));
  // A device may have a certificate of a CA that it has not been told of yet: that one is the later.
  return own.authorityKeyId === subjectKeyId || notBeforeMs <= own.notBeforeMs ? null : notBeforeMs;
}

type Asking = Pick<DeviceIdentity, 'device' | 'home' | 'guests'>;

/** A PKCS#10 request (DER) of this device for this key. */
export async function renewalRequest(
  { device, home, guests }: Asking,
  name: DeviceKeyName,
  key: string,
): Promise<Uint8Array> {
  const { writeCertificateRequest } = await import('./enrolment/request-write.ts');
  const pem = await writeCertificateRequest(
    { privateKeyPem: key, spki: spkiOf(key) },
    {
      profile: CREDENTIALS[name],
      commonName: device,
      uris: [home, ...guests].map((tenant) => deviceUri(tenant, device)),
    },
  );
  return derOf('CERTIFICATE REQUEST', pem);
}

/** The CAs of its home that a device knows without asking: the one that its home's sealing certificate came with. */
export const knownAuthorities = ({ home, owners }: Pick<DeviceIdentity, 'home' | 'owners'>): Uint8Array[] =>
  owners[home] === undefined ? [] : readPem('CERTIFICATE', owners[home].certificate).slice(1);

/** Whether one of these CAs may have signed it; what they are is judged by `checkCertificate`. */
export function isIssuerAmong(certificate: Uint8Array, authorities: readonly Uint8Array[]): boolean {
  return issuerAmong(certificate, authorities) !== undefined;
}

function issuerAmong(certificate: Uint8Array, authorities: readonly Uint8Array[]): Uint8Array | undefined {
  const { authorityKeyId } = parseCertificate(certificate);
  return authorities.find((der) => {
    try {
      return authorityKeyId !== null && parseCertificate(der).subjectKeyId === authorityKeyId;
    } catch {
      // A CA of another shape than ours, which a server may know too, is no issuer of this.
      return false;
    }
  });
}

export interface CheckedCertificate extends Asking {
  /** PEM, ready to be kept beside the key. */
  readonly certificate: string;
}

/**
 * Judge what was answered to a request: for this key, under this profile, of this root, by an issuing CA of the home
 * tenant. Which of its CAs does not matter, or none could follow another.
 *
 * @throws ERR_TRUST_*, ERR_ENROL_ANSWER
 */
export function checkCertificate(
  answered: {
    readonly name: DeviceKeyName;
    readonly key: string;
    readonly certificate: Uint8Array;
    /** DER, unverified: what the server calls its CAs, and what is known. */
    readonly authorities: readonly Uint8Array[];
  },
  known: {
    readonly root: string;
    readonly home: TenantId;
    readonly atMs: number;
    readonly development: boolean;
  },
): CheckedCertificate {
  const { name, key, certificate, authorities } = answered;
  const { root, home, atMs, development } = known;
  const issuer = issuerAmong(certificate, authorities);
  if (issuer === undefined)
    throw pkiError('ERR_TRUST_ISSUER', 'the certificate that was answered is of no CA that came with it');
  const ground = new Ground({ root, issuers: [{ tenant: home, certificate: issuer }], development });
  const verifier = new DeviceVerifier(ground, {
    profile: CREDENTIALS[name],
    cachedMax: 1,
    keep: (x509) => x509.publicKey.export({ type: 'spki', format: 'der' }),
  });
  const { notBeforeMs } = parseCertificate(certificate);
  const behindMs = notBeforeMs - atMs;
  const judgedMs = behindMs > 0 && behindMs <= CLOCK_BEHIND_MS_MAX ? notBeforeMs : atMs;
  const verified = verifier.verify(certificate, judgedMs);
  if (!equalBytes(verified.key, spkiOf(key)))
    throw pkiError('ERR_ENROL_ANSWER', 'the certificate that was answered is for another key');
  const { device, guests } = verified;
  return { device, home, guests, certificate: toPem('CERTIFICATE', certificate) };
}

/**
 * As `checkCertificate`, for a device that has a name: what is answered must be for it, and for its tenants.
 * @throws ERR_TRUST_*, ERR_ENROL_ANSWER
 */
export function checkRenewed(
  answered: Parameters<typeof checkCertificate>[0],
  known: Asking & Parameters<typeof checkCertificate>[1],
): KeyAndCertificate {
  const { device, guests, certificate } = checkCertificate(answered, known);
  if (device !== known.device)
    throw pkiError('ERR_ENROL_ANSWER', 'the certificate that was answered names another device');
  if ([...guests].sort().join() !== [...known.guests].sort().join())
    throw pkiError('ERR_ENROL_ANSWER', 'the certificate that was answered names other guests');
  return { key: answered.key, certificate };
}

function spkiOf(key: string): Uint8Array {
  return createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
}
