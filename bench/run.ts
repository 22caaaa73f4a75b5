/**
 * `npm run bench -- [names] [--quick]`: run all benchmarks, or those that are named, one after the other; show their
 * ratios, write results/<name>.json and RESULTS.md. Ends with 1 where a goal was missed, with 2 where a benchmark
 * did not come to its end.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type BenchOutcome, isReached } from './lib/bench.ts';
import { load, machine } from './lib/machine.ts';
import { type Result, readResults, writeResult } from './lib/result.ts';
import type { OneRun } from './lib/run-one.ts';
import { summaryPage, terminalTable } from './lib/summary.ts';
import { BENCH_NAMES, type BenchName, isBenchName } from './lib/table.ts';

const HELP = `npm run bench -- [names] [options]
names: ${BENCH_NAMES.join(', ')} (all, unless named)
  --quick            a short run of each that shows that it works; writes nothing unless --out says where
  --out DIR          where results and RESULTS.md go (bench/)
  --indexes N        million, commands: so many daily indexes, or commands
  --node-flags="F"   flags of Node for the front and the routers, to try what they change
  --profile DIR      CPU profiles of the front and the routers`;

/** @returns undefined where the benchmark ended without a result */
async function runOne(run: OneRun): Promise<Result | undefined> {
  const at = new Date().toISOString();
  const loadBefore = load();
  const startedMs = performance.now();
  const child = fork(new URL('./lib/run-one.ts', import.meta.url), [JSON.stringify(run)]);
  let told: { what: string; outcome: BenchOutcome } | undefined;
  child.once('message', (message) => {
    told = message as typeof told;
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 || told === undefined) return undefined;
  const { what, outcome } = told;
  const seconds = Math.round(performance.now() - startedMs) / 1_000;
  return { name: run.name, what, quick: run.quick, at, machine: machine(), loadBefore, seconds, ...outcome };
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    out: { type: 'string' },
    indexes: { type: 'string' },
    'node-flags': { type: 'string', default: '' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const wrong = positionals.filter((name) => !isBenchName(name));
const indexes = values.indexes === undefined ? undefined : Number(values.indexes);
if (values.help || wrong.length > 0 || (indexes !== undefined && !(indexes >= 1))) {
  console.log(HELP);
  process.exit(values.help ? 0 : 64);
}

const { quick } = values;
const out = values.out ?? (quick ? undefined : import.meta.dirname);
const names = positionals.length === 0 ? BENCH_NAMES : (positionals as BenchName[]);
const results: Result[] = [];
for (const name of names) {
  console.error(`${name} …`);
  const result = await runOne({
    name,
    quick,
    indexes,
    nodeFlags: values['node-flags'].split(' ').filter((flag) => flag !== ''),
    profile: values.profile && resolve(values.profile),
  });
  if (result === undefined) {
    console.error(`${name}: did not come to its end`);
    process.exitCode = 2;
    continue;
  }
  results.push(result);
  if (out !== undefined) writeResult(join(out, 'results'), result);
}
if (out !== undefined) writeFileSync(join(out, 'RESULTS.md'), summaryPage(readResults(join(out, 'results'))));
console.log(terminalTable(results));
for (const { name, absent } of results) for (const line of absent) console.log(`${name}: absent: ${line}`);
const missed = results.some(({ ratios }) => ratios.some((ratio) => isReached(ratio) === false));
if (missed && !quick) process.exitCode ??= 1;
