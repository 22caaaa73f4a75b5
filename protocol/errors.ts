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
    "A key is none that can be sealed to. A device: renew its owner certificates. A desk: renew the device's agreement certificate.",
  ERR_ENVELOPE_SHAPE:
    "Sealed bytes are not this protocol's COSE_Encrypt: one recipient, the headers that it needs, no more.",
  ERR_ENVELOPE_SUITE: 'Sealed bytes use algorithms that this side does not take.',
  ERR_ENVELOPE_KID:
    'Sealed bytes name a key that this side does not hold: of another tenant or device, or one that was retired too early.',
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
  ERR_COMMAND_SIZE:
    'A command, or a command with its signatures, is larger than its limit (protocol/limits.ts).',
  ERR_COMMAND_CBOR: 'The payload of a command is not bounded deterministic CBOR; the cause says where.',
  ERR_COMMAND_VERSION:
    'A command is of a version that this side does not know: update the devices before the desk.',
  ERR_COMMAND_TYPE:
    'A command of a type that this side does not know: another version, or a word that is no command.',
  ERR_COMMAND_SCHEMA:
    'A member or an argument of a command is missing, unknown or out of its range; the context names it, never its value.',
  ERR_COMMAND_RULE:
    'The members of a command do not fit each other, as its row of the table asks: its validity, its reason, its windows. The message says which.',
  ERR_COMMAND_SIGNED: "Bytes are not this protocol's COSE_Sign of one or two signatures.",
  ERR_COMMAND_ALGORITHM: 'A signature of a command is made with another algorithm than ES256.',
  ERR_COMMAND_SIGNATURE:
    'A signature of a command does not hold: altered, made with another key, of another command or device, or in another place.',
  ERR_COMMAND_SIGNATURES:
    'A command has too few or too many signatures: a critical one has two, every other has one.',
  ERR_COMMAND_SAME_KEY: 'Both signatures of a command were made with one key.',
  ERR_COMMAND_SAME_PERSON: 'Both signatures of a command are of the same person.',
  ERR_COMMAND_ROLE: 'A signer of a command has no role that may sign it in this place.',
  ERR_COMMAND_OTHER:
    'A command is for another tenant or device than the one whose topic it was bound to by its signer.',
  ERR_RESULT_CBOR: 'The result of a command is not bounded deterministic CBOR; the cause says where.',
  ERR_RESULT_VERSION:
    'The result of a command is of a version that this side does not know: update desk and router before the meters.',
  ERR_RESULT_SCHEMA:
    'A member of the result of a command is missing, unknown or out of its range; the context names it, never its value.',
  ERR_RESULT_OTHER:
    'A result is about another tenant, device or command than the one it was checked against.',
  ERR_REPORT_CBOR: 'The report of a device is not bounded deterministic CBOR; the cause says where.',
  ERR_REPORT_VERSION:
    'The report of a device is of a version that this side does not know: update desk and router before the meters.',
  ERR_REPORT_SCHEMA:
    'A member of the report of a device is missing, unknown or out of its range; the context names it, never its value.',
  ERR_REPORT_OTHER: 'A report is about another tenant or device than the one it was checked against.',
  ERR_NOTICE_CBOR: "An operator's notice to its devices is too large, or no bounded deterministic CBOR.",
  ERR_NOTICE_VERSION:
    "An operator's notice to its devices is of a version that this side does not know: update the devices before it is sent.",
  ERR_NOTICE_SCHEMA:
    "A member of an operator's notice is missing, unknown or out of its range; the context names it, never its value.",
  ERR_DOWNLINK:
    'What desk, front and router say to each other about commands is none of it: they are of different versions.',
} as const satisfies Readonly<Record<string, string>>;
