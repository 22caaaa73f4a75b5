/** What a bounded run (`hes up --once`) says at its end; the JSON form is the file of `--report`. */
export interface TenantReport {
  /** Streams: a device and an owner whose daily index it sends. */
  readonly meters: number;
  readonly expected: number;
  /** Indexes with a valid receipt that the owner's MDM took them. */
  readonly delivered: number;
  readonly duplicates: number;
  readonly refused: number;
}

export interface RunReport {
  readonly seed: number;
  readonly days: number;
  readonly tenants: Readonly<Record<string, TenantReport>>;
  /** Expected indexes that no MDM has. */
  readonly lost: number;
  /** Records that reached an MDM of another operator than their owner's. */
  readonly misrouted: number;
  readonly durationMs: number;
}

/** Nothing is missing: every index has its receipt, nothing was refused, nothing went astray. */
export function isComplete(report: RunReport): boolean {
  return (
    report.lost === 0 &&
    report.misrouted === 0 &&
    Object.values(report.tenants).every((row) => row.delivered === row.expected && row.refused === 0)
  );
}
