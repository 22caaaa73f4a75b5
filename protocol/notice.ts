import type { KeyObject } from 'node:crypto';
import { asMessageError } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import { always, fields, unlessEmpty } from './cbor/record.ts';
import { byteString, integer, list } from './cbor/shape.ts';
import { versionOne } from './cbor/version.ts';
import { CborWriter } from './cbor/writer.ts';
import { HesError } from './errors.ts';
import type { TenantId } from './identity.ts';
import { TENANT_SHAPE } from './identity-shape.ts';
import {
  CERTIFICATE_BYTES_MAX,
  COUNTER_MAX,
  NOTICE_BYTES_MAX,
  NOTICE_ISSUERS_MAX,
  NOTICE_PAYLOAD_BYTES_MAX,
  NOTICE_REVOKED_MAX,
  SERIAL_BYTES_MAX,
} from './limits.ts';
import { claimedPayload, signPayloadBy, verifySigned } from './signed.ts';

/**
 * An operator's word to its devices, the same for all of them: which key they seal to from now on, which office may
 * command them, and who of its people may no longer (docs/adr/0182). It is signed by the issuing CA of the field, and
 * sealed to nobody: certificates and serial numbers are all that it holds.
 */
export interface Notice {
  readonly tenant: TenantId;
  /** Rises with each of a tenant: milliseconds since 1970, or one more than the last. */
  readonly number: number;
  /** DER, of the key that readings are sealed to from now on. */
  readonly sealing: Uint8Array;
  /** DER: the root of the office. */
  readonly officeRoot: Uint8Array;
  /** DER: the issuing CAs of the office whose people may command. */
  readonly officeIssuers: readonly Uint8Array[];
  /** Serial numbers, as they stand in the certificates without a leading zero, of people who were revoked. */
  readonly revokedPeople: readonly Uint8Array[];
}

interface Wire extends Notice {
  readonly version: 1;
}

const NOTICE_VERSION = versionOne('ERR_NOTICE_VERSION', 'a version of notices');

const certificate = byteString(1, CERTIFICATE_BYTES_MAX);

const wireShape = fields<Wire>({
  version: always(1, NOTICE_VERSION),
  tenant: always(2, TENANT_SHAPE),
  number: always(3, integer(1, COUNTER_MAX)),
  sealing: always(4, certificate),
  officeRoot: always(5, certificate),
  officeIssuers: always(6, list(certificate, 1, NOTICE_ISSUERS_MAX)),
  revokedPeople: unlessEmpty(7, list(byteString(1, SERIAL_BYTES_MAX), 1, NOTICE_REVOKED_MAX)),
});

const CODES = { schema: 'ERR_NOTICE_SCHEMA', form: 'ERR_NOTICE_CBOR' } as const;
const writer = new CborWriter(NOTICE_PAYLOAD_BYTES_MAX);

const tooLarge = (length: number, lengthMax: number) =>
  new HesError('ERR_NOTICE_CBOR', 'larger than the limit', { context: { length, lengthMax } });

/** @throws ERR_NOTICE_SCHEMA, ERR_NOTICE_CBOR where it is larger than a device would take */
export function encodeNotice(notice: Notice): Uint8Array {
  try {
    return writer.write(() => wireShape.write(writer, { ...notice, version: 1 }));
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** @throws ERR_NOTICE_CBOR, ERR_NOTICE_VERSION, ERR_NOTICE_SCHEMA */
export function decodeNotice(bytes: Uint8Array): Notice {
  if (bytes.length > NOTICE_PAYLOAD_BYTES_MAX) throw tooLarge(bytes.length, NOTICE_PAYLOAD_BYTES_MAX);
  try {
    const reader = new CborReader(bytes);
    const { version: _, ...notice } = wireShape.read(reader);
    reader.end();
    return notice;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** What else an issuing CA signs begins with the octet 30, or with `hes office 1`: this never does (RFC 9052 §4.4). */
const noticeAad = (tenant: TenantId): Uint8Array => Buffer.from(`hes notice 1 ${tenant}`, 'latin1');

/**
 * COSE_Sign1 by the issuing CA.
 * @param signer.sign ES256 over the bytes: r and s
 * @throws ERR_NOTICE_SCHEMA, ERR_NOTICE_CBOR, ERR_ENVELOPE_SIZE
 */
export function signNotice(
  notice: Notice,
  signer: { readonly certificate: Uint8Array; readonly sign: (bytes: Uint8Array) => Uint8Array },
): Uint8Array {
  const signed = signPayloadBy(encodeNotice(notice), noticeAad(notice.tenant), signer);
  if (signed.length > NOTICE_BYTES_MAX) throw tooLarge(signed.length, NOTICE_BYTES_MAX);
  return signed;
}

/**
 * The notice of a tenant, once its signature holds; the certificate of the CA is `readSigner`'s and the caller's to
 * trust before.
 * @throws ERR_NOTICE_*; ERR_ENVELOPE_SIGNED; ERR_ENVELOPE_SIGNATURE where it does not hold: altered, by another key, or
 *   of another tenant or kind
 */
export function verifyNotice(message: {
  readonly signed: Uint8Array;
  readonly tenant: TenantId;
  readonly publicKey: KeyObject;
}): Notice {
  const { signed, tenant, publicKey } = message;
  checkNoticeSize(signed);
  const notice = decodeNotice(verifySigned(signed, noticeAad(tenant), publicKey));
  if (notice.tenant !== tenant) throw new HesError('ERR_NOTICE_SCHEMA', 'the notice of another tenant');
  return notice;
}

/** What a notice says, unverified: for whoever only passes it on. @throws ERR_ENVELOPE_SIGNED, ERR_NOTICE_* */
export const decodeClaimedNotice = (signed: Uint8Array): Notice => decodeNotice(claimedPayload(signed));

/** Before anything is read of it. @throws ERR_NOTICE_CBOR */
export function checkNoticeSize(signed: Uint8Array): void {
  if (signed.length > NOTICE_BYTES_MAX) throw tooLarge(signed.length, NOTICE_BYTES_MAX);
}
