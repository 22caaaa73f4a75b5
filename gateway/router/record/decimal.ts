/** `000` … `999`: three digits at once, since a kilo is the commonest distance between unit and multiplier. */
const THREE_DIGITS: readonly string[] = Array.from({ length: 1_000 }, (_, n) => String(n).padStart(3, '0'));

/** `0.000` … `0.999`: nearly every quarter-hour of a household, in kWh or m³. */
const BELOW_ONE: readonly string[] = THREE_DIGITS.map((digits) => `0.${digits}`);

/**
 * `value × 10^exponent` as an exact decimal string. Every digit is kept, trailing zeros too: `1234500` with
 * exponent −3 is `1234.500`, as the meter printed it, since they say how finely it measures. A binary fraction
 * (1234.5 × 0.001) would not be exact, so no arithmetic is done: the point is put between the digits.
 */
export function decimal(value: number, exponent: number): string {
  if (exponent === -3 && value >= 0 && value < 1_000_000) {
    if (value < 1_000) return BELOW_ONE[value]!;
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
  const padded = digits.padStart(1 - exponent, '0');
  return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
}
