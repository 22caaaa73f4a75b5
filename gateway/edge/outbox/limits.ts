import { METERS_MAX, SEALED_BYTES_MAX } from '../../../protocol/limits.ts';

export interface OutboxLimits {
  /** Sealed readings that wait for their receipt. */
  readonly entriesMax: number;
  /**
   * Bytes of the file, parked readings included. While it is written anew the old and the new one are there: twice
   * as many at most, and what an unfinished write left (`.torn`, one frame).
   */
  readonly bytesMax: number;
  /** Readings that an operator refused: kept for whoever looks into it, the oldest given up beyond this. */
  readonly parkedMax: number;
}

/**
 * A small flash holds that: 60 days without network for three owners with their profiles (some 2 KiB a reading with
 * its lean form), a year of lean ones. Bytes are the bound; the count is there for readings of no size.
 */
export const OUTBOX_LIMITS: OutboxLimits = { entriesMax: 1024, bytesMax: 1024 * 1024, parkedMax: 32 };

/** What one append may carry: a day of every owner that a device can have, in both forms, with room for the heads. */
export const FRAME_BYTES_MAX = 2 * METERS_MAX * (SEALED_BYTES_MAX + 256);

/** Below this a file is not worth rewriting, however much of it is dead. */
export const COMPACT_BYTES_MIN = 64 * 1024;

/** Files open at once in the whole process: 10,000 devices that close their day together must not meet `ulimit -n`. */
export const FILES_OPEN_MAX = 32;
