import { CborError } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import type { CborWriter } from './cbor/writer.ts';
import { COSE_TAG, HEADER, sameBytes } from './cose/message.ts';
import { HesError } from './errors.ts';
import { KID_BYTES, SEALED_BYTES_MAX } from './limits.ts';
import type { Suite } from './suites.ts';

/**
 * The outer layer's form: a COSE_Encrypt (RFC 9052 §5.1) of one recipient with the headers that it needs and
 * not one more. Read by hand and in one order: every reading passes here, and a form without freedom leaves
 * nothing to alter that is not authenticated.
 */
export interface Outer {
  readonly suite: Suite;
  readonly iv: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly kid: Uint8Array;
  /** What the sender sent for the key agreement. */
  readonly sent: Uint8Array;
}

/** The protected header of any suite: a map of one algorithm number. */
const HEADER_BYTES_MAX = 16;

export function writeOuter(writer: CborWriter, outer: Outer): void {
  const { suite, iv, ciphertext, kid, sent } = outer;
  writer.tag(COSE_TAG.encrypt);
  writer.array(4);
  writer.bytes(suite.contentHeader);
  writer.map(1);
  writer.integer(HEADER.iv);
  writer.bytes(iv);
  writer.bytes(ciphertext);
  writer.array(1);
  writer.array(3);
  writer.bytes(suite.recipientHeader);
  writer.map(2);
  writer.integer(HEADER.kid);
  writer.bytes(kid);
  writer.integer(suite.agreement.label);
  suite.agreement.sentShape.write(writer, sent);
  // The content key is derived, not wrapped.
  writer.bytes(NO_BYTES);
}

const NO_BYTES = new Uint8Array(0);

/** @throws ERR_ENVELOPE_SHAPE, ERR_ENVELOPE_SUITE */
export function readOuter(sealed: Uint8Array, suites: readonly Suite[]): Outer {
  try {
    const reader = new CborReader(sealed);
    reader.tag(COSE_TAG.encrypt);
    reader.array(4, 4);
    const contentHeader = reader.bytes(HEADER_BYTES_MAX);
    reader.map(1, 1);
    reader.expect(HEADER.iv);
    const iv = reader.bytes(HEADER_BYTES_MAX);
    const ciphertext = reader.bytes(SEALED_BYTES_MAX);
    reader.array(1, 1);
    reader.array(3, 3);
    const recipientHeader = reader.bytes(HEADER_BYTES_MAX);
    const suite = suiteOf(suites, contentHeader, recipientHeader);
    if (iv.length !== suite.content.ivBytes) reader.fail('ERR_CBOR_SCHEMA', 'expected an IV of its cipher');
    reader.map(2, 2);
    reader.expect(HEADER.kid);
    const kid = reader.bytesOf(KID_BYTES);
    reader.expect(suite.agreement.label);
    const sent = suite.agreement.sentShape.read(reader);
    reader.bytesOf(0);
    reader.end();
    return { suite, iv, ciphertext, kid, sent };
  } catch (cause) {
    if (cause instanceof CborError)
      throw new HesError('ERR_ENVELOPE_SHAPE', `not a sealed message: ${cause.message}`, {
        cause,
        context: cause.context,
      });
    throw cause;
  }
}

function suiteOf(suites: readonly Suite[], content: Uint8Array, recipient: Uint8Array): Suite {
  const suite = suites.find(
    (row) => sameBytes(row.contentHeader, content) && sameBytes(row.recipientHeader, recipient),
  );
  if (suite === undefined)
    throw new HesError('ERR_ENVELOPE_SUITE', 'algorithms that this side does not take');
  return suite;
}
