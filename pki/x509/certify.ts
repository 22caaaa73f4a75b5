import { createECDH, createHash, createPrivateKey, type KeyObject, randomBytes } from 'node:crypto';
import { pkiError } from '../errors.ts';
import {
  type Certificate,
  ECDSA_SHA256,
  P256_POINT_BYTES,
  P256_SPKI_PREFIX,
  parseCertificate,
} from './certificate.ts';
import { contextTag, der, derBits, derOid, derTime, derTrue, derUnsigned, TAG } from './der.ts';
import { toPem } from './pem.ts';
import { keyUsageOctets, PROFILES, type Profile, type ProfileName, PURPOSE } from './profiles.ts';
import { type AuthorityKey, signDer } from './signature.ts';

/**
 * Making keys and certificates, of the rows of profiles.ts and nothing else. docs/adr/0020 says why these few
 * structures are written here: a fleet of 10,000 devices is 30,000 certificates at its first start.
 */

/** 126 random bits in 16 octets: unguessable (CA/B 7.1 asks for 64), positive, and always of the same length. */
const SERIAL_BYTES = 16;
/** RFC 7093 §2 (1): the leftmost 160 bits of SHA-256 over the public key. */
const KEY_ID_BYTES = 20;
const DAY_MS = 86_400_000;

export interface KeyPair {
  readonly privateKeyPem: string;
  readonly spki: Uint8Array;
}

export interface Subject {
  readonly commonName: string;
  readonly organization?: string;
}

export interface Names {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  /** 4 or 16 octets each. */
  readonly addresses?: readonly Uint8Array[];
}

/** A CA that can sign: its certificate and its key, here or in a token. */
export interface SigningAuthority {
  readonly certificate: Certificate;
  readonly certificatePem: string;
  readonly privateKey: AuthorityKey;
}

/** RFC 5958 around RFC 5915: everything of a P-256 key before the 32 octets of the scalar, and before the point. */
const PKCS8_PREFIX = Buffer.from(
  '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420',
  'hex',
);
const PKCS8_MIDDLE = Buffer.from('a144034200', 'hex');
const SCALAR_BYTES = 32;

/** A fresh P-256 key pair, as PKCS#8 PEM. (Three times as fast as having OpenSSL's encoders write the PEM.) */
export function newKeyPair(): KeyPair {
  const ecdh = createECDH('prime256v1');
  const point = ecdh.generateKeys();
  const short = ecdh.getPrivateKey();
  const scalar = Buffer.alloc(SCALAR_BYTES);
  short.copy(scalar, SCALAR_BYTES - short.length);
  const pkcs8 = Buffer.concat([PKCS8_PREFIX, scalar, PKCS8_MIDDLE, point]);
  const pair = { privateKeyPem: toPem('PRIVATE KEY', pkcs8), spki: Buffer.concat([P256_SPKI_PREFIX, point]) };
  for (const secret of [short, scalar, pkcs8]) secret.fill(0);
  return pair;
}

export interface CertifyRequest {
  readonly profile: Profile;
  readonly subject: Subject;
  readonly names: Names;
  readonly spki: Uint8Array;
  readonly notBeforeMs: number;
  /** Defaults to the profile's days, never beyond the authority's own end. */
  readonly notAfterMs?: number;
  readonly serial?: Uint8Array;
}

/** The DER of a certificate that `authority` signs. */
export function certify(authority: SigningAuthority, request: CertifyRequest): Uint8Array {
  const keyId = authority.certificate.subjectKeyId;
  if (keyId === null) throw pkiError('ERR_PKI_DAMAGED', 'the issuing certificate has no key identifier');
  return signed(request, {
    issuer: authority.certificate.subjectName,
    keyId: Buffer.from(keyId, 'hex'),
    privateKey: authority.privateKey,
    notAfterMs: authority.certificate.notAfterMs,
  });
}

/** A self-signed CA, and the key to sign with. */
export function selfSign(
  request: Omit<CertifyRequest, 'spki'>,
): SigningAuthority & { readonly privateKey: KeyObject; readonly privateKeyPem: string } {
  const pair = newKeyPair();
  const privateKey = createPrivateKey(pair.privateKeyPem);
  const certificate = signed(
    { ...request, spki: pair.spki },
    {
      issuer: name(request.subject),
      keyId: keyIdentifier(pair.spki),
      privateKey,
      notAfterMs: Number.POSITIVE_INFINITY,
    },
  );
  return { ...authorityOf(certificate, privateKey), privateKeyPem: pair.privateKeyPem };
}

export function authorityOf<Key extends AuthorityKey>(
  certificate: Uint8Array,
  privateKey: Key,
): SigningAuthority & { readonly privateKey: Key } {
  return {
    certificate: parseCertificate(certificate),
    certificatePem: toPem('CERTIFICATE', certificate),
    privateKey,
  };
}

interface Issuer {
  readonly issuer: Uint8Array;
  readonly keyId: Uint8Array;
  readonly privateKey: AuthorityKey;
  readonly notAfterMs: number;
}

const VERSION_3 = der(contextTag(0, 'constructed'), derUnsigned(Uint8Array.of(2)));

function signed(request: CertifyRequest, issuer: Issuer): Uint8Array {
  const { profile, notBeforeMs } = request;
  const endMs = request.notAfterMs ?? notBeforeMs + profile.validityDays * DAY_MS;
  const tbs = der(
    TAG.sequence,
    VERSION_3,
    derUnsigned(request.serial ?? newSerial()),
    ECDSA_SHA256,
    issuer.issuer,
    der(TAG.sequence, derTime(notBeforeMs), derTime(Math.min(endMs, issuer.notAfterMs))),
    name(request.subject),
    request.spki,
    der(contextTag(3, 'constructed'), der(TAG.sequence, ...extensions(request, issuer.keyId))),
  );
  return der(TAG.sequence, tbs, ECDSA_SHA256, derBits(signDer(issuer.privateKey, tbs)));
}

function newSerial(): Uint8Array {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = (serial[0]! & 0x3f) | 0x40;
  return serial;
}

const OID = {
  commonName: derOid('2.5.4.3'),
  organization: derOid('2.5.4.10'),
  subjectKeyId: derOid('2.5.29.14'),
  keyUsage: derOid('2.5.29.15'),
  alternativeNames: derOid('2.5.29.17'),
  basicConstraints: derOid('2.5.29.19'),
  authorityKeyId: derOid('2.5.29.35'),
  extendedKeyUsage: derOid('2.5.29.37'),
} as const;

function name({ organization, commonName }: Subject): Uint8Array {
  const attribute = (id: Uint8Array, text: string) =>
    der(TAG.set, der(TAG.sequence, id, der(TAG.utf8String, Buffer.from(text, 'utf8'))));
  return der(
    TAG.sequence,
    ...(organization === undefined ? [] : [attribute(OID.organization, organization)]),
    attribute(OID.commonName, commonName),
  );
}

const extension = (id: Uint8Array, value: Uint8Array): Uint8Array =>
  der(TAG.sequence, id, der(TAG.octetString, value));
const criticalExtension = (id: Uint8Array, value: Uint8Array): Uint8Array =>
  der(TAG.sequence, id, derTrue, der(TAG.octetString, value));

/** The extensions that depend on the profile alone, written once per profile. */
function fixedExtensions(profile: Profile): readonly Uint8Array[] {
  const { unused, octet } = keyUsageOctets(profile.keyUsage);
  const constraints =
    profile.pathLength === null
      ? der(TAG.sequence)
      : der(TAG.sequence, derTrue, derUnsigned(Uint8Array.of(profile.pathLength)));
  const purposes = profile.purposes.map((purpose) => derOid(PURPOSE[purpose]));
  return [
    criticalExtension(OID.basicConstraints, constraints),
    criticalExtension(OID.keyUsage, der(TAG.bitString, Uint8Array.of(unused, octet))),
    ...(purposes.length === 0 ? [] : [extension(OID.extendedKeyUsage, der(TAG.sequence, ...purposes))]),
  ];
}

const FIXED_EXTENSIONS = Object.fromEntries(
  Object.entries(PROFILES).map(([key, profile]) => [key, fixedExtensions(profile)]),
) as Record<ProfileName, readonly Uint8Array[]>;

function extensions({ profile, names, spki }: CertifyRequest, issuerKeyId: Uint8Array): Uint8Array[] {
  const known = Object.hasOwn(PROFILES, profile.name) ? (profile.name as ProfileName) : undefined;
  const fixed =
    known !== undefined && PROFILES[known] === profile ? FIXED_EXTENSIONS[known] : fixedExtensions(profile);
  const entries = [
    ...(names.uris ?? []).map((uri) => der(contextTag(6, 'primitive'), Buffer.from(uri, 'latin1'))),
    ...(names.dns ?? []).map((host) => der(contextTag(2, 'primitive'), Buffer.from(host, 'latin1'))),
    ...(names.addresses ?? []).map((address) => der(contextTag(7, 'primitive'), address)),
  ];
  return [
    ...fixed,
    // RFC 5280 §4.2.1.2: a CA must carry it, for those below to point at; it would only lengthen the rest.
    ...(profile.pathLength === null
      ? []
      : [extension(OID.subjectKeyId, der(TAG.octetString, keyIdentifier(spki)))]),
    extension(OID.authorityKeyId, der(TAG.sequence, der(contextTag(0, 'primitive'), issuerKeyId))),
    ...(entries.length === 0 ? [] : [extension(OID.alternativeNames, der(TAG.sequence, ...entries))]),
  ];
}

export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const point = spki.subarray(spki.length - P256_POINT_BYTES);
  return createHash('sha256').update(point).digest().subarray(0, KEY_ID_BYTES);
}
