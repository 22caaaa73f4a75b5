/** One benchmark in a process of its own, so that none runs on what another left: heaps, compiled code, muted consoles. */
import type { Bench, BenchRequest } from './bench.ts';
import { BENCHES, type BenchName } from './table.ts';

/** What is asked of this process, as its only argument. */
export interface OneRun extends Omit<BenchRequest, 'progress'> {
  readonly name: BenchName;
}

const { name, ...rest } = JSON.parse(process.argv[2]!) as OneRun;
const { bench } = (await import(BENCHES[name])) as { bench: Bench };
const outcome = await bench.run({
  ...rest,
  progress: (line) => process.stderr.write(`${name}: ${line}\n`),
});
await new Promise<void>((sent) => process.send!({ what: bench.what, outcome }, () => sent()));
process.exit(0);
