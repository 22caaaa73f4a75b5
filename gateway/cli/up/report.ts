import { accessSync, constants, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HesError } from '../../../protocol/errors.ts';

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

/** Asked before the run: that the report has no place is not to be heard an hour later. @throws ERR_REPORT */
export function checkReportPlace(file: string): void {
  try {
    if (statSync(dirname(resolve(file))).isDirectory()) accessSync(dirname(resolve(file)), constants.W_OK);
    if (statSync(file, { throwIfNoEntry: false })?.isDirectory() === true)
      throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
  } catch (cause) {
    throw failure(file, cause);
  }
}

/** Whole or not at all: whoever waits for the file reads no half of it. */
export function writeReport(file: string, report: RunReport): void {
  try {
    writeFileSync(`${file}.new`, `${JSON.stringify(report)}\n`);
    renameSync(`${file}.new`, file);
  } catch (cause) {
    throw failure(file, cause);
  }
}

function failure(file: string, cause: unknown): HesError {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return new HesError('ERR_REPORT', `the report cannot be written to ${file} (${reason})`, { cause });
}

/** The same for people. */
export function renderReport(report: RunReport): string[] {
  const rows = Object.entries(report.tenants).map(
    ([tenant, { meters, expected, delivered, duplicates, refused }]) =>
      `${tenant.padEnd(13)}${right(meters)}${right(expected)}${right(delivered)}${right(duplicates)}${right(refused)}`,
  );
  const head = `${'operator'.padEnd(13)}${['meters', 'expected', 'delivered', 'duplicates', 'refused'].map(right).join('')}`;
  const end = `lost ${report.lost}, misrouted ${report.misrouted}, ${(report.durationMs / 1_000).toFixed(1)} s`;
  return [head, ...rows, isComplete(report) ? `complete: ${end}` : `INCOMPLETE: ${end}`];
}

function right(value: number | string): string {
  return String(value).padStart(11);
}
