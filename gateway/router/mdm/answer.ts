/** What the MDM said about one record. */
export type RecordVerdict =
  | { readonly verdict: 'accepted' }
  | { readonly verdict: 'duplicate' }
  | { readonly verdict: 'rejected'; readonly code: string }
  | { readonly verdict: 'retry'; readonly seconds: number | null };

/** An MDM's reason goes into a counter and a log line; anything longer or stranger is not a reason. */
const REJECTION_PATTERN = /^[a-z][a-z0-9-]{0,31}$/;
const REJECTION_UNNAMED = 'unnamed';

/**
 * Read an answer, `{"results":[{"id","verdict","code"?,"seconds"?}, …]}`, with the suspicion that a stranger's
 * bytes deserve: only records that were asked about count, a verdict that is not understood is none, and two
 * different verdicts about one record cancel each other. What has no verdict is not acknowledged.
 *
 * @returns undefined where it is not such an answer at all: then the MDM, or what stands in its place, failed.
 */
export function readAnswer(
  text: string,
  asked: ReadonlySet<string>,
): ReadonlyMap<string, RecordVerdict> | undefined {
  const results = resultsOf(text);
  if (results === undefined) return undefined;
  const verdicts = new Map<string, RecordVerdict>();
  const contradicted = new Set<string>();
  for (const result of results) {
    if (!isObject(result) || typeof result['id'] !== 'string' || !asked.has(result['id'])) continue;
    const verdict = verdictOf(result);
    const before = verdicts.get(result['id']);
    if (verdict === undefined || (before !== undefined && before.verdict !== verdict.verdict))
      contradicted.add(result['id']);
    else verdicts.set(result['id'], verdict);
  }
  for (const id of contradicted) verdicts.delete(id);
  return verdicts;
}

function resultsOf(text: string): readonly unknown[] | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return isObject(answer) && Array.isArray(answer['results']) ? answer['results'] : undefined;
  } catch {
    return undefined;
  }
}

function verdictOf({ verdict, code, seconds }: Record<string, unknown>): RecordVerdict | undefined {
  if (verdict === 'accepted' || verdict === 'duplicate') return { verdict };
  if (verdict === 'rejected')
    return {
      verdict,
      code: typeof code === 'string' && REJECTION_PATTERN.test(code) ? code : REJECTION_UNNAMED,
    };
  if (verdict === 'retry')
    return { verdict, seconds: typeof seconds === 'number' && seconds >= 0 ? seconds : null };
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
