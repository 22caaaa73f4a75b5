/**
 * The frame that every benchmark stands in. A benchmark measures ratios: ours against a peer or a floor that was
 * measured in the same run, in turns, so that whatever else the machine does falls on both.
 */

/** What the command line asks of a benchmark. */
export interface BenchRequest {
  /** A short run that shows that everything works; its figures mean nothing. */
  readonly quick: boolean;
  /** For `million`: how many daily indexes; for `commands`, how many of them. */
  readonly indexes: number | undefined;
  /** Flags of Node for the front and the routers, beside those that `hes up` gives them: to try what they change. */
  readonly nodeFlags: readonly string[];
  /** A folder for CPU profiles of the front and the routers. */
  readonly profile: string | undefined;
  /** Say how it goes. */
  readonly progress: (line: string) => void;
}

export type Goal = { readonly atLeast: number } | { readonly atMost: number };

export interface Ratio {
  readonly name: string;
  /** Null where the peer that it is taken against is absent. */
  readonly value: number | null;
  /** From the issue; a ratio without one is shown for what it says. */
  readonly goal?: Goal;
}

/** A figure in its unit, for orders of magnitude: ratios are what lasts. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface BenchOutcome {
  readonly ratios: readonly Ratio[];
  readonly figures: readonly Figure[];
  /** Peers that could not be had, each with the reason. */
  readonly absent: readonly string[];
  /** Sentences without which the figures would be misread. */
  readonly notes: readonly string[];
  /** Everything else that was measured. */
  readonly details: unknown;
}

export interface Bench {
  /** One sentence. */
  readonly what: string;
  run(request: BenchRequest): Promise<BenchOutcome>;
}

/** Null where there is nothing to hold against a goal. */
export function isReached({ value, goal }: Ratio): boolean | null {
  if (value === null || goal === undefined) return null;
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost;
}

export function goalText(goal: Goal | undefined): string {
  if (goal === undefined) return '';
  return 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`;
}
