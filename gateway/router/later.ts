import type { Random } from '../runtime/random.ts';
import type { RouterConfig } from './config.ts';

/**
 * How long a device is told to wait: spread evenly over the configured range, above what was asked for. A
 * million meters that were told the same second would all be back in it.
 */
export function laterSeconds(range: RouterConfig['later'], random: Random, atLeastSeconds = 0): number {
  const { minSeconds, maxSeconds } = range;
  const from = Math.max(minSeconds, Math.min(Math.ceil(atLeastSeconds), maxSeconds));
  return from + Math.floor(random() * (maxSeconds - minSeconds + 1));
}
