import { CERTIFICATE_REQUEST_BYTES_MAX } from '../enrolment/request-check.ts';

/** The bounds of the EST door: it is open to whoever can reach it, before anybody has shown who he is. */

/** Base64 of the largest request, and a line end after every few characters. */
export const BODY_BYTES_MAX = CERTIFICATE_REQUEST_BYTES_MAX * 2;
/** A request is one packet; a modem on the edge of its cell takes a few seconds for it. */
export const REQUEST_WITHIN_MS = 20_000;
export const HANDSHAKE_WITHIN_MS = 20_000;
/** How often node looks for connections that are over their time. */
export const LOOK_EVERY_MS = 2_000;
/** Three requests of one device follow each other. */
export const IDLE_MS = 5_000;
/** A request of ours has six header lines. */
export const HEADER_BYTES_MAX = 4_096;
/** A path of ours has 40 characters. */
export const URL_LENGTH_MAX = 128;
/** What a day's renewals of a large fleet need at once many times over: a request holds the process some ms. */
export const CONNECTIONS_MAX = 512;
/** Addresses whose requests are counted at once. */
export const ADDRESSES_MAX = 4_096;
/** How long requests that run may take to end at a stop. */
export const FINISH_WITHIN_MS = 3_000;
/** Asked again where the register is held by another process. */
export const RETRY_AFTER_SECONDS = 30;
/** The new CA of a roll-over is opened within seconds. */
export const REPLACED_AFTER_SECONDS = 5;
