import type { BackoffOptions } from '../../runtime/backoff.ts';

/** How long the eyes of a source are. Meters send every second, before DSMR 4 and in Luxembourg every ten. */
export interface SourceTiming {
  /** Without a telegram for so long, a port that gets bytes is no longer `receiving`: three of the slowest. */
  readonly telegramMs: number;
  /** Without a byte for so long, a port is `silent` or `port-closed`. */
  readonly silenceMs: number;
  /** How long each speed is tried: a little more than the slowest meter needs for one telegram. */
  readonly detectMs: number;
  /** After so long a silence the port is opened afresh: a bridge may have died without a word. */
  readonly reopenMs: number;
  /** How long a connection may take to be made. */
  readonly connectMs: number;
  /** How often it is looked at the clock. */
  readonly tickMs: number;
  readonly backoff: Omit<BackoffOptions, 'random'>;
}

export const SOURCE_TIMING: SourceTiming = {
  telegramMs: 30_000,
  silenceMs: 30_000,
  detectMs: 12_000,
  reopenMs: 120_000,
  connectMs: 10_000,
  tickMs: 1_000,
  backoff: { baseMs: 1_000, maxMs: 60_000, minMs: 250 },
};
