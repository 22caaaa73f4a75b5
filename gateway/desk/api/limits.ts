import { COMMAND_SIGNED_BYTES_MAX } from '../../../protocol/limits.ts';

/** The bounds of the API: whoever holds a certificate is a colleague, and a colleague's script can run wild. */

/** Base64 of the largest command, with its device and the marks of JSON around it. */
const SIGNED_TEXT_MAX = Math.ceil((COMMAND_SIGNED_BYTES_MAX * 4) / 3) + 4;
const JSON_OVERHEAD_BYTES = 256;
export const SIGNED_LENGTH_MAX = SIGNED_TEXT_MAX;
export const BODY_BYTES_MAX = SIGNED_TEXT_MAX + JSON_OVERHEAD_BYTES;
/** A line of NDJSON: a command, or a meter with its certificate. */
export const LINE_BYTES_MAX = BODY_BYTES_MAX;
/** A park of half a million commands in one call; nothing of it is kept in memory. */
export const LINES_BYTES_MAX = 1_024 * 1_048_576;
/** Lines of one call in hand at once: what the store commits together. */
export const LINES_IN_HAND_MAX = 256;

/** A JSON body is one packet or a few. */
export const BODY_WITHIN_MS = 10_000;
/** Between two pieces of an NDJSON body: whoever signs while it sends takes its time. */
export const LINES_IDLE_MS = 30_000;
/** A client that reads nothing for so long is gone. */
export const STALLED_MS = 30_000;
/** Comments keep a stream of events open through proxies. */
export const KEEP_ALIVE_MS = 15_000;
/** How often connections are held against the end of their certificates; a revocation is not kept waiting for it. */
export const SWEEP_MS = 15_000;

export const HEADERS_WITHIN_MS = 10_000;
/** How often node looks for connections that are over their time. */
export const LOOK_EVERY_MS = 2_000;
export const HEADER_BYTES_MAX = 8_192;
/** Idle connections are kept for a person who types the next command. */
export const IDLE_MS = 30_000;
export const HANDSHAKE_WITHIN_MS = 10_000;
/** Some hundred people, a few systems. */
export const CONNECTIONS_MAX = 1_024;

/** Streams of events at once, and of one person. */
export const SUBSCRIBERS_MAX = 256;
export const SUBSCRIBERS_PER_PERSON_MAX = 32;
/** Changes that wait for one slow reader; beyond it the stream ends, and the reader comes again. */
export const EVENTS_WAITING_MAX = 4_096;
/** Changes that are kept for those who come again. */
export const EVENTS_KEPT_MAX = 1_024;

/** Guesses at an EAN: a person mistypes it some times. */
export const IDENTIFY_PER_MINUTE = 20;

/** A stop lets requests that run end. */
export const FINISH_WITHIN_MS = 2_000;
