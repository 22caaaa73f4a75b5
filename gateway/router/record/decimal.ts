/** `000` … `999`: three digits at once, since a kilo is the commonest distance between unit and multiplier. */
const THREE_DIGITS: readonly string[] = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(3, '0'));

/** Below this, whole and fraction are small integers, which are quick to print. */
const QUICK_MAX = 1_000_000_000;

/**
 * `value × 10^exponent` as an exact decimal string. Every digit is kept, trailing zeros too: `1234500` with
 * exponent −3 is `1234.500`, as the meter printed it, since they say how finely it measures. A binary fraction
 * (1234.5 × 0.001) would not be exact, so no arithmetic is done: the point is put between the digits.
 */
export function decimal(value: number, exponent: number): string {
  if (exponent === -3 && value >= 0 && value < QUICK_MAX) {
    const whole = (value / 1_000) | 0;
    return `${whole}.${THREE_DIGITS[value - whole * 1_000]!}`;
  }
  if (exponent === 0) return value === 0 ? '0' : String(value);
  return shifted(value, exponent);
}

function shifted(value: number, exponent: number): string {
  const sign = value < 0 ? '-' : '';
  const digits = String(Math.abs(value));
  if (exponent >= 0) return value === 0 ? '0' : `${sign}${digits}${'0'.repeat(exponent)}`;
  const point = digits.length + exponent;
  if (point > 0) return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
  return `${sign}0.${'0'.repeat(-point)}${digits}`;
}
