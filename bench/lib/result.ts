import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOutcome } from './bench.ts';
import type { Machine } from './machine.ts';
import { BENCH_NAMES, type BenchName } from './table.ts';

/** What stands in `results/<name>.json`. */
export interface Result extends BenchOutcome {
  readonly name: BenchName;
  readonly what: string;
  readonly quick: boolean;
  readonly at: string;
  readonly machine: Machine;
  /** Load average of the last minute when the run began. */
  readonly loadBefore: number;
  readonly seconds: number;
}

export function writeResult(folder: string, result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${result.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

/** The latest result of each benchmark that has one, in the order of the table. */
export function readResults(folder: string): Result[] {
  return BENCH_NAMES.flatMap((name) => {
    const file = join(folder, `${name}.json`);
    return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as Result] : [];
  });
}
