import type { Finding, Part } from '../plausibility.ts';
import { flagCodes, MISSING, type QualityCode, VALID } from './quality.ts';

/** `"ReadingQualities":[…]` */
function qualitiesJson(codes: Iterable<QualityCode>): string {
  const each = Array.from(codes, (code) => `{"ReadingQualityType":{"ref":"${code}"}}`);
  return `"ReadingQualities":[${each.join(',')}]`;
}

export const VALID_JSON = qualitiesJson([VALID]);
export const MISSING_JSON = qualitiesJson([MISSING]);

/** What the device flagged and what was found about one entry of a meter, as JSON; valid where there is nothing. */
export function qualitiesOf(
  findings: readonly Finding[],
  meter: number,
  part: Part,
  at: number,
  flags: number,
): string {
  if (flags === 0 && findings.length === 0) return VALID_JSON;
  const codes = new Set<QualityCode>(flagCodes(flags));
  for (const found of findings) if (found.meter === meter && concerns(found, part, at)) codes.add(found.code);
  return codes.size === 0 ? VALID_JSON : qualitiesJson(codes);
}

/** What was found about a meter as a whole is said beside its readings, not three hundred times in its profile. */
function concerns(found: Finding, part: Part, at: number): boolean {
  return found.part === 'meter' ? part !== 'profiles' : found.part === part && found.at === at;
}
