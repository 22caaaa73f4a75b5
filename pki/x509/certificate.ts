import { pkiError } from '../errors.ts';
import {
  contextTag,
  DerCursor,
  type Element,
  equalBytes,
  readBoolean,
  readOctetBits,
  readTimeMs,
  readUnsigned,
  TAG,
} from './der.ts';
import { DEVELOPMENT_ORGANIZATION } from './names.ts';

/** Far above what any of our profiles needs (about 500 bytes), far below what could hurt. */
export const CERTIFICATE_BYTES_MAX = 4096;
/** RFC 5280 §4.1.2.2. */
export const SERIAL_BYTES_MAX = 20;
const EXTENSIONS_MAX = 16;
const NAMES_MAX = 32;

/** `id-ecPublicKey` on `prime256v1`, up to the point; what follows is 04 and the two coordinates. */
export const P256_SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
export const P256_POINT_BYTES = 65;
/** RFC 5758 §3.2: ecdsa-with-SHA256, without parameters. */
export const ECDSA_SHA256 = Buffer.from('300a06082a8648ce3d040302', 'hex');

export interface AlternativeNames {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly addresses: readonly string[];
}

/** A certificate as this system issues them, read once and strictly. Nothing in here has been verified yet. */
export interface Certificate {
  readonly der: Uint8Array;
  /** What the issuer signed. */
  readonly tbs: Uint8Array;
  /** Lower-case hex without leading zeros. */
  readonly serial: string;
  readonly issuerName: Uint8Array;
  readonly subjectName: Uint8Array;
  readonly issuerOrganization: string | null;
  readonly commonName: string | null;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly spki: Uint8Array;
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength: number | null } | null;
  /** The one octet of the key usage bits. */
  readonly keyUsage: number | null;
  /** Content octets of each purpose's object identifier, as hex. */
  readonly purposes: readonly string[];
  /** Hex. */
  readonly subjectKeyId: string | null;
  readonly authorityKeyId: string | null;
  readonly alternativeNames: AlternativeNames;
}

type Extensions = Pick<
  Certificate,
  'basicConstraints' | 'keyUsage' | 'purposes' | 'subjectKeyId' | 'authorityKeyId' | 'alternativeNames'
>;

const malformed = (what: string) => pkiError('ERR_TRUST_MALFORMED', `no certificate of ours: ${what}`);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const NO_NAMES: AlternativeNames = { uris: [], dns: [], addresses: [] };

/** RFC 5280 §4.2.1, by the content octets of the object identifier. */
const EXTENSION_READERS: Readonly<Record<string, (value: Uint8Array) => Partial<Extensions>>> = {
  // 2.5.29.19
  '551d13': (value) => {
    const body = whole(value, TAG.sequence);
    const ca = body.optional(TAG.boolean);
    const path = body.optional(TAG.integer);
    body.end();
    if (ca !== undefined && !readBoolean(ca)) throw malformed('a default that is spelt out');
    return {
      basicConstraints: {
        ca: ca !== undefined,
        pathLength: path === undefined ? null : Number.parseInt(readUnsigned(path, 1), 16),
      },
    };
  },
  // 2.5.29.15
  '551d0f': (value) => {
    const bits = only(value, TAG.bitString).content;
    if (bits.length !== 2 || bits[0]! > 7) throw malformed('a key usage of more than an octet');
    return { keyUsage: bits[1]! };
  },
  // 2.5.29.37
  '551d25': (value) => {
    const body = whole(value, TAG.sequence);
    const purposes: string[] = [];
    while (!body.done && purposes.length < NAMES_MAX) purposes.push(hex(body.read(TAG.oid).content));
    body.end();
    return { purposes };
  },
  // 2.5.29.14
  '551d0e': (value) => ({ subjectKeyId: hex(only(value, TAG.octetString).content) }),
  // 2.5.29.35
  '551d23': (value) => {
    const body = whole(value, TAG.sequence);
    const keyId = body.read(contextTag(0, 'primitive'));
    body.end();
    return { authorityKeyId: hex(keyId.content) };
  },
  // 2.5.29.17
  '551d11': (value) => ({ alternativeNames: readNames(whole(value, TAG.sequence)) }),
};

/**
 * Read a certificate of one of our profiles.
 * @throws ERR_TRUST_MALFORMED, also for what other systems may issue and we never do
 */
export function parseCertificate(bytes: Uint8Array): Certificate {
  if (bytes.length > CERTIFICATE_BYTES_MAX) throw malformed('too long');
  const certificate = whole(bytes, TAG.sequence);
  const tbs = certificate.read(TAG.sequence);
  const algorithm = certificate.read(TAG.sequence).whole;
  readOctetBits(certificate.read(TAG.bitString));
  certificate.end();

  const body = new DerCursor(tbs.content);
  const version = body.enter(contextTag(0, 'constructed'));
  if (readUnsigned(version.read(TAG.integer), 1) !== '02') throw malformed('not version 3');
  version.end();
  const serial = readUnsigned(body.read(TAG.integer), SERIAL_BYTES_MAX + 1);
  const tbsAlgorithm = body.read(TAG.sequence).whole;
  if (!equalBytes(algorithm, ECDSA_SHA256) || !equalBytes(tbsAlgorithm, ECDSA_SHA256))
    throw malformed('not signed with ES256');
  const issuer = body.read(TAG.sequence);
  const validity = body.enter(TAG.sequence);
  const notBeforeMs = readTimeMs(validity.read());
  const notAfterMs = readTimeMs(validity.read());
  validity.end();
  const subject = body.read(TAG.sequence);
  const spki = body.read(TAG.sequence).whole;
  const point = spki.subarray(P256_SPKI_PREFIX.length);
  if (
    !equalBytes(spki.subarray(0, P256_SPKI_PREFIX.length), P256_SPKI_PREFIX) ||
    point.length !== P256_POINT_BYTES ||
    point[0] !== 4
  )
    throw malformed('no P-256 key');
  const wrapper = body.enter(contextTag(3, 'constructed'));
  const extensions = readExtensions(wrapper.enter(TAG.sequence));
  wrapper.end();
  body.end();

  return {
    der: bytes,
    tbs: tbs.whole,
    serial,
    issuerName: issuer.whole,
    subjectName: subject.whole,
    issuerOrganization: readAttributes(issuer).get(ATTRIBUTE.organization) ?? null,
    commonName: readAttributes(subject).get(ATTRIBUTE.commonName) ?? null,
    notBeforeMs,
    notAfterMs,
    spki,
    ...extensions,
  };
}

/** Whether the certificate comes from a development PKI: the CA's name says so. */
export function isDevelopmentCertificate(certificate: Certificate): boolean {
  return certificate.issuerOrganization === DEVELOPMENT_ORGANIZATION;
}

function whole(bytes: Uint8Array, tag: number): DerCursor {
  return new DerCursor(only(bytes, tag).content);
}

function only(bytes: Uint8Array, tag: number): Element {
  const outer = new DerCursor(bytes);
  const element = outer.read(tag);
  outer.end();
  return element;
}

/**
 * RFC 5280 §4.2: an unknown critical extension refuses the certificate, and none may appear twice. Issuer and
 * subject unique identifiers, which would stand before, are refused by the caller's tag.
 */
function readExtensions(list: DerCursor): Extensions {
  const seen = new Set<string>();
  const found: { -readonly [Key in keyof Extensions]: Extensions[Key] } = {
    basicConstraints: null,
    keyUsage: null,
    purposes: [],
    subjectKeyId: null,
    authorityKeyId: null,
    alternativeNames: NO_NAMES,
  };
  while (!list.done) {
    const extension = list.enter(TAG.sequence);
    const id = hex(extension.read(TAG.oid).content);
    const critical = extension.optional(TAG.boolean);
    const value = extension.read(TAG.octetString).content;
    extension.end();
    if (seen.has(id) || seen.size === EXTENSIONS_MAX) throw malformed('extensions twice or too many');
    seen.add(id);
    const reader = Object.hasOwn(EXTENSION_READERS, id) ? EXTENSION_READERS[id] : undefined;
    if (reader !== undefined) Object.assign(found, reader(value));
    else if (critical !== undefined && readBoolean(critical))
      throw malformed('an unknown critical extension');
  }
  return found;
}

const NAME_TAG = { dns: 0x82, uri: 0x86, address: 0x87 } as const;

/** RFC 5280 §4.2.1.6: URIs, DNS names and addresses; our profiles know no other form. */
function readNames(list: DerCursor): AlternativeNames {
  const uris: string[] = [];
  const dns: string[] = [];
  const addresses: string[] = [];
  while (!list.done) {
    const { tag, content } = list.read();
    if (uris.length + dns.length + addresses.length === NAMES_MAX) throw malformed('too many names');
    if (tag === NAME_TAG.uri) uris.push(ascii(content));
    else if (tag === NAME_TAG.dns) dns.push(ascii(content));
    else if (tag === NAME_TAG.address) addresses.push(hex(content));
    else throw malformed('a name of another form');
  }
  return { uris, dns, addresses };
}

function ascii(content: Uint8Array): string {
  for (const byte of content) if (byte < 0x21 || byte > 0x7e) throw malformed('a name that is no text');
  return Buffer.from(content).toString('latin1');
}

const ATTRIBUTE = { commonName: '550403', organization: '55040a' } as const;

function readAttributes(name: Element): Map<string, string> {
  const attributes = new Map<string, string>();
  const sets = new DerCursor(name.content);
  while (!sets.done) {
    const set = sets.enter(TAG.set);
    const attribute = set.enter(TAG.sequence);
    const id = hex(attribute.read(TAG.oid).content);
    const value = attribute.read();
    attribute.end();
    set.end();
    if (value.tag !== TAG.utf8String && value.tag !== TAG.printableString)
      throw malformed('a name attribute');
    if (attributes.has(id)) throw malformed('a name attribute twice');
    attributes.set(id, Buffer.from(value.content).toString('utf8'));
  }
  return attributes;
}
