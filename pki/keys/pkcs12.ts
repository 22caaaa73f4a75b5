import { createHmac, createPrivateKey, hash, randomBytes, X509Certificate } from 'node:crypto';
import forge from 'node-forge';
import { pkiError } from '../errors.ts';
import { readPem } from '../x509/pem.ts';
import { checkPassphrase } from './encrypted-key.ts';

/**
 * PKCS#12 (RFC 7292), for handing a key to software that takes nothing else. node-forge writes the container and
 * the encryption; it has no elliptic curves, so the key goes in by its ASN.1 parts. It verifies nothing here, nor
 * anywhere in this project (docs/adr/0022).
 */

/** OWASP's figure of 2023 for PBKDF2 with HMAC-SHA-256. */
const KEY_ITERATIONS = 600_000;
/**
 * The MAC's own key derivation (RFC 7292 appendix B), as costly as the key's: whoever guesses the password tries the
 * cheaper of the two.
 */
const MAC_ITERATIONS = 600_000;
const SALT_BYTES = 16;
const CHAIN_LENGTH_MAX = 4;

/** RFC 7292 appendix B.3: the diversifier of a MAC key. */
const MAC_KEY_PURPOSE = 3;
/** Appendix B.2: u and v of SHA-256, in octets. */
const HASH_BLOCK_BYTES = 64;

const OID = {
  data: '1.2.840.113549.1.7.1',
  certificateBag: '1.2.840.113549.1.12.10.1.3',
  shroudedKeyBag: '1.2.840.113549.1.12.10.1.2',
  x509Certificate: '1.2.840.113549.1.9.22.1',
  friendlyName: '1.2.840.113549.1.9.20',
  localKeyId: '1.2.840.113549.1.9.21',
  sha256: '2.16.840.1.101.3.4.2.1',
} as const;

const { asn1 } = forge;
const { Class, Type } = asn1;
type Asn1 = forge.asn1.Asn1;

const sequence = (...parts: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, parts);
const set = (...parts: Asn1[]): Asn1 => asn1.create(Class.UNIVERSAL, Type.SET, true, parts);
const oid = (dotted: string): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.OID, false, asn1.oidToDer(dotted).getBytes());
const octets = (bytes: string): Asn1 => asn1.create(Class.UNIVERSAL, Type.OCTETSTRING, false, bytes);
const explicit = (part: Asn1): Asn1 => asn1.create(Class.CONTEXT_SPECIFIC, 0, true, [part]);
const integer = (value: number): Asn1 =>
  asn1.create(Class.UNIVERSAL, Type.INTEGER, false, asn1.integerToDer(value).getBytes());
const bytesOf = (node: Asn1): string => asn1.toDer(node).getBytes();
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/**
 * A password-protected container (AES-256-CBC, PBKDF2 with HMAC-SHA-256, MAC over SHA-256) of a P-256 key, its
 * certificate and the CAs above it.
 *
 * @param options.key PKCS#8 PEM
 * @param options.chain PEM, the key's certificate first
 * @throws ERR_PKI_WEAK, ERR_PKI_PKCS12
 */
export function exportPkcs12(options: {
  readonly key: string;
  readonly chain: string;
  readonly password: string;
  readonly friendlyName: string;
}): Uint8Array {
  const { password, friendlyName } = options;
  checkPassphrase(password, 'the container');
  const { pkcs8, certificates } = checked(options.key, options.chain);
  const keyId = binary(
    Buffer.from(new X509Certificate(certificates[0]!).fingerprint.replaceAll(':', ''), 'hex'),
  );
  const attributes = set(
    sequence(oid(OID.localKeyId), set(octets(keyId))),
    sequence(oid(OID.friendlyName), set(asn1.create(Class.UNIVERSAL, Type.BMPSTRING, false, friendlyName))),
  );
  const certificateBags = certificates.map((certificate, at) =>
    sequence(
      oid(OID.certificateBag),
      explicit(sequence(oid(OID.x509Certificate), explicit(octets(binary(certificate))))),
      ...(at === 0 ? [attributes] : []),
    ),
  );
  // PKCS#5 takes the password as UTF-8, the MAC below as UTF-16 (which forge makes of a text itself).
  const shrouded = forge.pki.encryptPrivateKeyInfo(
    asn1.fromDer(binary(pkcs8)),
    forge.util.encodeUtf8(password),
    {
      algorithm: 'aes256',
      prfAlgorithm: 'sha256',
      count: KEY_ITERATIONS,
      saltSize: SALT_BYTES,
    },
  );
  const keyBag = sequence(oid(OID.shroudedKeyBag), explicit(shrouded), attributes);
  const safe = bytesOf(sequence(data(sequence(...certificateBags)), data(sequence(keyBag))));
  const pfx = sequence(integer(3), sequence(oid(OID.data), explicit(octets(safe))), macData(safe, password));
  return Buffer.from(bytesOf(pfx), 'latin1');
}

function checked(key: string, chain: string): { pkcs8: Uint8Array; certificates: readonly Uint8Array[] } {
  try {
    const privateKey = createPrivateKey(key);
    const certificates = readPem('CERTIFICATE', chain);
    if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('no P-256 key');
    if (certificates.length > CHAIN_LENGTH_MAX) throw new Error('the chain is too long');
    if (!new X509Certificate(certificates[0]!).checkPrivateKey(privateKey))
      throw new Error('the first certificate of the chain is not of this key');
    return { pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }), certificates };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'unreadable';
    throw pkiError('ERR_PKI_PKCS12', `this key and chain cannot be exported: ${why}`, { cause });
  }
}

function data(content: Asn1): Asn1 {
  return sequence(oid(OID.data), explicit(octets(bytesOf(content))));
}

function macData(safe: string, password: string): Asn1 {
  const salt = randomBytes(SALT_BYTES);
  const mac = createHmac('sha256', macKey(password, salt)).update(Buffer.from(safe, 'latin1')).digest();
  const algorithm = sequence(oid(OID.sha256), asn1.create(Class.UNIVERSAL, Type.NULL, false, ''));
  return sequence(sequence(algorithm, octets(binary(mac))), octets(binary(salt)), integer(MAC_ITERATIONS));
}

/** RFC 7292 appendix B.2, for the one block that a key of SHA-256's own length needs. (forge's hashes in JavaScript.) */
function macKey(password: string, salt: Uint8Array): Uint8Array {
  // B.1: UTF-16, big-endian, with a zero at its end.
  const text = Buffer.from(`${password}\0`, 'utf16le').swap16();
  const block = Buffer.concat([
    Buffer.alloc(HASH_BLOCK_BYTES, MAC_KEY_PURPOSE),
    repeated(salt),
    repeated(text),
  ]);
  let key = hash('sha256', block, 'buffer');
  for (let n = 1; n < MAC_ITERATIONS; n++) key = hash('sha256', key, 'buffer');
  return key;
}

function repeated(bytes: Uint8Array): Uint8Array {
  const length = Math.ceil(bytes.length / HASH_BLOCK_BYTES) * HASH_BLOCK_BYTES;
  return Uint8Array.from({ length }, (_, at) => bytes[at % bytes.length]!);
}
