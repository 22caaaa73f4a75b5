import type { CborBounds } from './cbor/check.ts';

/**
 * The bounds that both ends share. Whoever decodes refuses beyond them before allocating; whoever encodes
 * refuses too, so that nothing is put into an outbox that its operator could never take.
 */

/** A device's own meter and M-Bus channels 1 to 4 (e-MUCS §5, DSMR P1 §6.12). */
export const METERS_MAX = 5;
export const CHANNEL_MAX = 4;

/** A three-phase meter with four tariffs, both directions, reactive energy and totals stays under 40. */
export const REGISTERS_MAX = 64;
/** Import and export, active and reactive, and room for as many again. */
export const PROFILES_MAX = 8;
/** Quarter-hours of the longest day: 25 hours when daylight saving ends. */
export const DELTAS_MAX = 100;
/** The thirteen months of 0-0:98.1.0 and the running one, for two directions. */
export const PEAKS_MAX = 28;
/** Voltage, current and power of three phases, with room. */
export const EXTREMES_MAX = 16;
/** Serial numbers as meters print them; the longest seen has 34 characters. */
export const SERIAL_LENGTH_MAX = 64;

/** Rising from 1; a device that sent one a second would need 285 million years. */
export const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER;
/** The end of year 9999: clocks give nonsense, ISO 8601 ends there. */
export const EPOCH_SECONDS_MAX = 253_402_300_799;

/** A household with five meters and eight profiles each stays under 12 KiB; a usual payload has 400 to 900 bytes. */
export const PAYLOAD_BYTES_MAX = 16_384;
/** A P-256 certificate of the device profile has about 500 bytes. */
export const CERTIFICATE_BYTES_MAX = 2_048;
/** A `kid`: the first bytes of SHA-256 over a key's SubjectPublicKeyInfo. It names; it proves nothing. */
export const KID_BYTES = 8;
/** Heads, signature, headers and tags of both layers around payload and certificate, rounded up. */
const ENVELOPE_OVERHEAD_BYTES = 512;
export const SIGNED_BYTES_MAX = PAYLOAD_BYTES_MAX + CERTIFICATE_BYTES_MAX + ENVELOPE_OVERHEAD_BYTES / 2;
/** The largest message a device may publish, and therefore the largest that the front lets pass. */
export const SEALED_BYTES_MAX = PAYLOAD_BYTES_MAX + CERTIFICATE_BYTES_MAX + ENVELOPE_OVERHEAD_BYTES;

/** A receipt has about 90 bytes. */
export const RECEIPT_BYTES_MAX = 256;
/** `later` is back pressure, not a ban: a day index that waits longer than a week is somebody's incident. */
export const LATER_SECONDS_MAX = 7 * 86_400;
/** Issuing CAs of an office that a notice names: the one in force, the next, and room for one more. */
export const NOTICE_ISSUERS_MAX = 4;
/** People of one office that were revoked and whose certificates are not over yet; beyond it the office CA is replaced. */
export const NOTICE_REVOKED_MAX = 256;
/** RFC 5280 §4.1.2.2, without a leading zero. */
export const SERIAL_BYTES_MAX = 20;
/** A usual notice has 2,500 bytes; with 256 people of 17 bytes each and four office CAs of 700 it has 9,000. */
export const NOTICE_BYTES_MAX = 12_288;
/** What is signed of it. */
export const NOTICE_PAYLOAD_BYTES_MAX = NOTICE_BYTES_MAX - CERTIFICATE_BYTES_MAX - 128;

/** A receipt and a notice with the heads of their answer. */
export const ANSWER_BYTES_MAX = RECEIPT_BYTES_MAX + NOTICE_BYTES_MAX + 16;

/** For a reader that knows no schema. Depth: map, meters, meter, profiles, profile, deltas, number. */
export const PAYLOAD_BOUNDS: CborBounds = { bytesMax: PAYLOAD_BYTES_MAX, depthMax: 8, itemsMax: 12_000 };
/** COSE_Encrypt: message, recipients, recipient, headers, COSE_Key, value. */
export const SEALED_BOUNDS: CborBounds = { bytesMax: SEALED_BYTES_MAX, depthMax: 6, itemsMax: 48 };
export const SIGNED_BOUNDS: CborBounds = { bytesMax: SIGNED_BYTES_MAX, depthMax: 4, itemsMax: 32 };
/** A header map that is wrapped in a byte string: its largest value is a certificate. */
export const HEADER_BOUNDS: CborBounds = { bytesMax: CERTIFICATE_BYTES_MAX + 64, depthMax: 4, itemsMax: 48 };
export const RECEIPT_BOUNDS: CborBounds = { bytesMax: RECEIPT_BYTES_MAX, depthMax: 3, itemsMax: 32 };

/** The largest arguments are a message of 320 characters (960 bytes) or 64 registers (450); a reason has up to 360. */
export const COMMAND_BYTES_MAX = 2_048;
/** One person, or two where a command is critical. */
export const SIGNATURES_MAX = 2;
/** A signature with its heads, beside the certificate. */
const SIGNATURE_OVERHEAD_BYTES = 96;
export const COMMAND_SIGNED_BYTES_MAX =
  COMMAND_BYTES_MAX + SIGNATURES_MAX * (CERTIFICATE_BYTES_MAX + SIGNATURE_OVERHEAD_BYTES) + 32;
/** The largest message that a device may be sent; a usual one has 800 bytes, or 1,400 with two signatures. */
export const COMMAND_SEALED_BYTES_MAX = COMMAND_SIGNED_BYTES_MAX + ENVELOPE_OVERHEAD_BYTES / 2;
/** The highest originator counter: milliseconds, up to the end of year 9999. */
export const COUNTER_MAX = EPOCH_SECONDS_MAX * 1_000 + 999;
/** Switching windows of a week: four a day for three kinds of day, with room. */
export const WINDOWS_MAX = 16;
/** Three bytes a character at most in UTF-8, so that it fits the 1,024 octets of 0-0:96.13.0 (DSMR P1 §6.12). */
export const MESSAGE_LENGTH_MAX = 320;
/** A sentence, or the reference of a case: it is read by whoever approves. */
export const REASON_LENGTH_MAX = 120;

/** What a device says about a command, without its signature: about 60 bytes. */
export const OUTCOME_BYTES_MAX = 128;
export const OUTCOME_SIGNED_BYTES_MAX = OUTCOME_BYTES_MAX + CERTIFICATE_BYTES_MAX + SIGNATURE_OVERHEAD_BYTES;
/** What a device says of itself, without its signature: about 40 bytes of its state, or its new certificate. */
export const REPORT_BYTES_MAX = CERTIFICATE_BYTES_MAX + 64;
export const REPORT_SIGNED_BYTES_MAX = REPORT_BYTES_MAX + CERTIFICATE_BYTES_MAX + SIGNATURE_OVERHEAD_BYTES;

/** For a reader that knows no schema. Depth: map, arguments, windows, window, number. */
export const COMMAND_BOUNDS: CborBounds = { bytesMax: COMMAND_BYTES_MAX, depthMax: 6, itemsMax: 256 };
