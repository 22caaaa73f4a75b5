/** How the simulated MDM misbehaves, for tests and demonstrations. All may be combined. */
export interface Faults {
  /** Answer with this status, and take nothing. */
  readonly status?: number;
  /** A header to go with that status. */
  readonly retryAfterSeconds?: number;
  /** Wait so long before looking at a request. */
  readonly delayMs?: number;
  /** Never answer, and take nothing. */
  readonly hang?: boolean;
  /** Take the records, then hang up without an answer: the reading is there and nobody knows. */
  readonly hangUpAfterTaking?: boolean;
  /** Take the records, then answer with this text. */
  readonly body?: string;
  /** Take every record, but say nothing about every n-th. */
  readonly silentAboutEvery?: number;
  /** Say everything twice. */
  readonly everyAnswerTwice?: boolean;
  /** Also speak of records that nobody asked about. */
  readonly strangers?: number;
  /** Ask for all records again, after so many seconds. */
  readonly retrySeconds?: number;
}

interface Result {
  readonly id: string;
  readonly verdict: string;
}

/** The answer's results, as the faults distort them. */
export function distort(results: readonly Result[], faults: Faults): readonly Result[] {
  const { silentAboutEvery, everyAnswerTwice, strangers = 0 } = faults;
  const said =
    silentAboutEvery === undefined ? results : results.filter((_, at) => (at + 1) % silentAboutEvery !== 0);
  const invented = Array.from({ length: strangers }, (_, at) => ({
    id: `ffffffffffffffff/nobody/${at + 1}`,
    verdict: 'accepted',
  }));
  return [...said, ...(everyAnswerTwice === true ? said : []), ...invented];
}
