import { SAMPLE_MIN } from '../limits.ts';
import type { Manifest } from '../manifest.ts';

/** How a campaign goes from wave to wave, and when it stops by itself. */

/** Sizes of all waves, the last with what is left. */
export function waveSizes({ waves, count }: Pick<Manifest, 'waves' | 'count'>): readonly number[] {
  const sizes: number[] = [];
  let left = count;
  for (const size of [...waves, count]) {
    if (left === 0) break;
    sizes.push(Math.min(size, left));
    left -= sizes.at(-1)!;
  }
  return sizes;
}

/** What became of the commands of a wave. `skipped` says nothing about the campaign: cancelled, or airplane mode. */
export interface WaveCounts {
  readonly wave: number;
  readonly size: number;
  readonly startedAtMs: number | null;
  readonly ready: number;
  readonly open: number;
  readonly done: number;
  readonly failed: number;
  readonly skipped: number;
}

/** What somebody let pass of the running wave when he let a halted campaign go on. */
export interface Forgiven {
  readonly ended: number;
  readonly failed: number;
  /** That meters are silent. */
  readonly silent: boolean;
}

export type Verdict =
  | { readonly kind: 'wait' | 'next' }
  | { readonly kind: 'halt'; readonly code: 'error-rate' | 'silent' };

const WAIT = { kind: 'wait' } as const;
const NEXT = { kind: 'next' } as const;

/**
 * What a wave's counts say. Above the limit a campaign stops at once: in a wave of up to SAMPLE_MIN as soon as the
 * share of the whole wave is certain to be above it, in a larger one by the share of what has ended.
 */
export function judge(
  wave: WaveCounts,
  {
    forgiven,
    limitPermille,
    waveSeconds,
    isLast,
    nowMs,
  }: {
    readonly forgiven: Forgiven;
    readonly limitPermille: number;
    readonly waveSeconds: number;
    readonly isLast: boolean;
    readonly nowMs: number;
  },
): Verdict {
  const failed = wave.failed - forgiven.failed;
  const ended = wave.done + wave.failed - forgiven.ended;
  const size = wave.size - wave.skipped - forgiven.ended;
  const isAbove = (share: number, whole: number): boolean => share * 1_000 > limitPermille * whole;
  if (isAbove(failed, Math.max(ended, Math.min(size, SAMPLE_MIN))))
    return { kind: 'halt', code: 'error-rate' };
  if (wave.ready + wave.open === 0) return NEXT;
  const isOver = wave.startedAtMs !== null && nowMs >= wave.startedAtMs + waveSeconds * 1_000;
  // After the last wave nothing begins that silence could be a warning about.
  if (isLast || wave.ready > 0 || !isOver) return WAIT;
  return !forgiven.silent && isAbove(failed + wave.open, size) ? { kind: 'halt', code: 'silent' } : NEXT;
}
