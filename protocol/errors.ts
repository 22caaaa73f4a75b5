/** What an error may say about its circumstances: sizes, pseudonyms, counters. Never a reading, EAN, serial or key. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null>>;

/**
 * The one base class of errors that this project throws on purpose.
 *
 * `code` is a promise (docs/errors.md lists every one); the message says what happened and, where a
 * person can do something about it, what. HTTP statuses and exit codes are mapped at the edges only.
 */
export class HesError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly context: ErrorContext;

  constructor(code: Code, message: string, options: { cause?: unknown; context?: ErrorContext } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HesError';
    this.code = code;
    this.context = options.context ?? {};
  }
}

/** Narrow an unknown error to one of ours, by code where one is named. */
export function isHesError(error: unknown, code?: string): error is HesError {
  return error instanceof HesError && (code === undefined || error.code === code);
}

/** The codes that `protocol/` throws: what each means and what to do. docs/errors.md is made of these tables. */
export const PROTOCOL_ERRORS = {
  ERR_IDENTITY_TENANT:
    'A text is no tenant id: 2 to 32 lower-case letters and digits, a letter first. Correct the configuration or the certificate that it came from.',
  ERR_IDENTITY_DEVICE:
    'A text is no device id: 16 lower-case hex digits. A serial number or EAN never serves as one.',
  ERR_TOPIC: 'A topic name is none of ours. The sender is no device of this system, or of another version.',
  ERR_OBIS: 'A text is no OBIS code of the form A-B:C.D.E or A-B:C.D.E*F.',
  ERR_CBOR_TRUNCATED: 'Bytes end inside a CBOR item: the message was cut on its way.',
  ERR_CBOR_TRAILING: 'Bytes follow the CBOR item that should be all of the message.',
  ERR_CBOR_BOUNDS:
    'A CBOR item is larger, deeper or of more parts than its decoder takes (protocol/limits.ts). Nothing was allocated for it.',
  ERR_CBOR_FORM:
    'A CBOR item is not in deterministic form, or holds what this protocol never sends (tags, floats, indefinite lengths).',
  ERR_CBOR_SCHEMA: 'A CBOR item is well formed and something else than was expected in its place.',
  ERR_COSE_SHAPE: 'Bytes are not the COSE message that was expected in this place (RFC 9052).',
  ERR_PAYLOAD_CBOR: 'The payload of a reading is not bounded deterministic CBOR; the cause says where.',
  ERR_PAYLOAD_VERSION:
    'The payload of a reading is of a version that this side does not know: update the router before the meters.',
  ERR_PAYLOAD_SCHEMA:
    'A member of a daily index is missing, unknown or out of its range; the context names the field, never its value.',
  ERR_ENVELOPE_SIZE:
    'A payload, certificate or sealed message is larger than its limit (protocol/limits.ts).',
  ERR_ENVELOPE_RECIPIENT:
    "A device cannot seal to the operator's key that it was given: renew the owner certificates of the device.",
  ERR_ENVELOPE_SHAPE:
    "Sealed bytes are not this protocol's COSE_Encrypt: one recipient, the headers that it needs, no more.",
  ERR_ENVELOPE_SUITE: 'Sealed bytes use algorithms that this side does not take.',
  ERR_ENVELOPE_KID:
    'Sealed bytes name a sealing key that this router does not hold: another tenant, or a key that was retired too early.',
  ERR_ENVELOPE_AGREEMENT: 'What the sender sent for the key agreement is no valid public key.',
  ERR_ENVELOPE_OPEN:
    'Sealed bytes do not open: altered, sealed to another key, or moved from the topic that they were sealed for.',
  ERR_ENVELOPE_SIGNED: "What was sealed is not this protocol's COSE_Sign1.",
  ERR_ENVELOPE_SIGNATURE:
    "A device's signature does not hold: altered, made with another key, or moved from another topic.",
  ERR_RECEIPT_SHAPE: "Bytes are not this protocol's receipt (COSE_Mac0).",
  ERR_RECEIPT_MAC:
    'A receipt was not made with the key of this reading, was altered or moved. The reading stays in the outbox.',
  ERR_RECEIPT_CONTENT:
    'The content of a receipt is out of its range, or a verdict that this side does not know.',
  ERR_RECEIPT_OTHER: 'A valid receipt is about another reading than the one that it was checked against.',
  ERR_ANSWER:
    'What a router answered to the front is no answer to an uplink: the two are of different versions.',
} as const satisfies Readonly<Record<string, string>>;
