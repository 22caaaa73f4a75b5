import { METERS_MAX, SEALED_BYTES_MAX } from '../../../protocol/limits.ts';

export interface OutboxLimits {
  /** Sealed readings that wait for their receipt. */
  readonly entriesMax: number;
  /** Bytes of the file, parked readings included. */
  readonly bytesMax: number;
  /** Readings that an operator refused: kept for whoever looks into it, the oldest given up beyond this. */
  readonly parkedMax: number;
}

/** 60 days without network for three owners, at some 2 KiB a reading; a small flash holds that. */
export const OUTBOX_LIMITS: OutboxLimits = { entriesMax: 256, bytesMax: 1024 * 1024, parkedMax: 32 };

/** What one append may carry: a day of every owner that a device can have, with room for the heads. */
export const FRAME_BYTES_MAX = METERS_MAX * (SEALED_BYTES_MAX + 256);

/** Below this a file is not worth rewriting, however much of it is dead. */
export const COMPACT_BYTES_MIN = 64 * 1024;

/** Files open at once in the whole process: 10,000 devices that close their day together must not meet `ulimit -n`. */
export const FILES_OPEN_MAX = 32;
