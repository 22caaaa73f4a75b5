/**
 * The work of a desk beside what its cryptography and its disk set as a floor; its memory over many commands; and what
 * people who look for a command wait for at a desk that has a million.
 */
import { type Answers, askArchive } from './desk/archive.ts';
import { createFloor, type Floor } from './desk/floor.ts';
import { createPark, type Message, type Park } from './desk/park.ts';
import type { Bench, BenchOutcome } from './lib/bench.ts';
import { cpuNanoseconds, residentKib } from './lib/cpu.ts';
import { median, round } from './lib/statistics.ts';

const METERS = 10_000;
/** As many as one commit takes: what a bulk call or an awake park brings at once. */
const BATCH = 256;

const FULL = { rounds: 30, singles: 200, kept: 100_000, archived: 1_000_000, asked: 100 } as const;
const QUICK = { rounds: 2, singles: 10, kept: 1_536, archived: 10_000, asked: 2 } as const;
const WARM_ROUNDS = 2;
/** Before memory counts: caches of the database and compiled code are there. */
const WARM_SHARE = 1 / 4;
const MEMORY_GOAL = { atMost: 1.05 } as const;
const SHOWN_WITHIN_MS = 50;

/** Of one command: microseconds by the clock, and of CPU of the whole process. */
interface Cost {
  readonly clock: number;
  readonly cpu: number;
}
type Costs = Record<'propose' | 'proposeFloor' | 'dispatch' | 'dispatchFloor', Cost[]>;

async function cost(work: () => unknown, commands = BATCH): Promise<Cost> {
  const cpuBefore = cpuNanoseconds(process.pid);
  const startedMs = performance.now();
  await work();
  const tookMs = performance.now() - startedMs;
  const cpu = (cpuNanoseconds(process.pid) - cpuBefore) / 1_000 / commands;
  return { clock: (tookMs * 1_000) / commands, cpu };
}

/** In turns with the floor, batch by batch. */
async function measureCosts(park: Park, floor: Floor, rounds: number): Promise<Costs> {
  const costs: Costs = { propose: [], proposeFloor: [], dispatch: [], dispatchFloor: [] };
  for (let round = -WARM_ROUNDS; round < rounds; round++) {
    const messages = park.messages(BATCH);
    const measured = {
      proposeFloor: await cost(() => floor.verifyAndStore(BATCH)),
      propose: await cost(() => park.propose(messages)),
      dispatchFloor: await cost(() => floor.dispatch(BATCH)),
      dispatch: await cost(() => park.dispatch(messages)),
    };
    if (round < 0) continue;
    for (const name of Object.keys(costs) as (keyof Costs)[]) costs[name].push(measured[name]);
  }
  return costs;
}

/** One after the other, each waiting for its own commit: microseconds of each. */
async function measureSingles(park: Park, count: number): Promise<readonly number[]> {
  const singles: number[] = [];
  for (const message of park.messages(count)) {
    singles.push((await cost(() => park.propose([message]), 1)).clock);
    await park.dispatch([message]);
  }
  return singles;
}

/** Whole lives of commands, and the resident memory after each batch: of the desk and of whoever signs in the same process. */
async function measureMemory(
  park: Park,
  count: number,
  progress: (line: string) => void,
): Promise<readonly number[]> {
  const kib: number[] = [];
  for (let done = 0; done < count; done += BATCH) {
    const messages: readonly Message[] = park.messages(BATCH);
    await park.propose(messages);
    await park.dispatch(messages);
    kib.push(residentKib(process.pid));
    if (Math.floor((done + BATCH) / 25_000) > Math.floor(done / 25_000)) progress(`${done + BATCH} commands`);
  }
  return kib;
}

function thirds(kib: readonly number[]): { readonly first: number; readonly last: number } {
  const warm = kib.slice(Math.floor(kib.length * WARM_SHARE));
  const third = Math.ceil(warm.length / 3);
  return { first: median(warm.slice(0, third)), last: median(warm.slice(-third)) };
}

/** What all but one in a hundred take at most, of the slowest question. */
function slowest(answers: Answers): { readonly name: string; readonly ms: number } {
  const all = Object.entries(answers).map(([name, times]) => ({ name, ms: percentile(times, 0.99) }));
  return all.reduce((worst, one) => (one.ms > worst.ms ? one : worst));
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

async function run({ quick, progress }: Parameters<Bench['run']>[0]): Promise<BenchOutcome> {
  const { rounds, singles, kept, archived, asked } = quick ? QUICK : FULL;
  const park = await createPark(METERS);
  const [sample] = park.messages(1) as [Message];
  await park.propose([sample]);
  await park.dispatch([sample]);
  const floor = createFloor({ signedBytes: sample.signed.length, answerBytes: sample.answer.length });
  let measured: { costs: Costs; singles: readonly number[]; kib: readonly number[] };
  try {
    progress('verify, store and dispatch, beside the floor');
    const costs = await measureCosts(park, floor, rounds);
    const single = await measureSingles(park, singles);
    measured = { costs, singles: single, kib: await measureMemory(park, kept, progress) };
  } finally {
    floor.close();
    await park.close();
  }
  const answers = await askArchive(archived, asked, progress);
  return outcomeOf(measured, answers, { kept, archived });
}

function outcomeOf(
  measured: { readonly costs: Costs; readonly singles: readonly number[]; readonly kib: readonly number[] },
  answers: Answers,
  { kept, archived }: { readonly kept: number; readonly archived: number },
): BenchOutcome {
  const { costs } = measured;
  const of = (name: keyof Costs, part: keyof Cost): number => median(costs[name].map((one) => one[part]));
  const memory = thirds(measured.kib);
  const worst = slowest(answers);
  const many = (count: number): string => count.toLocaleString('en-US');
  const rate = (name: keyof Costs) => round(1_000_000 / of(name, 'clock'), 0);
  return {
    ratios: [
      {
        name: 'verify and store to its floor, CPU',
        value: round(of('proposeFloor', 'cpu') / of('propose', 'cpu'), 3),
      },
      {
        name: 'verify and store to its floor, as the clock has it',
        value: round(of('proposeFloor', 'clock') / of('propose', 'clock'), 3),
      },
      {
        name: 'dispatch to its floor, CPU',
        value: round(of('dispatchFloor', 'cpu') / of('dispatch', 'cpu'), 3),
      },
      {
        name: 'dispatch to its floor, as the clock has it',
        value: round(of('dispatchFloor', 'clock') / of('dispatch', 'clock'), 3),
      },
      {
        name: `resident memory over ${many(kept)} commands, last third to the first`,
        value: round(memory.last / memory.first, 3),
        goal: MEMORY_GOAL,
      },
      {
        name: `list and show at ${many(archived)} commands: the slowest question, to 50 ms`,
        value: round(worst.ms / SHOWN_WITHIN_MS, 3),
        goal: { atMost: 1 },
      },
    ],
    figures: [
      {
        name: 'verify and store, durable, as a bulk call brings them',
        value: rate('propose'),
        unit: 'commands/s',
      },
      { name: 'verify and store: floor', value: rate('proposeFloor'), unit: 'commands/s' },
      { name: 'dispatch: claim, seal, outcome, end', value: rate('dispatch'), unit: 'commands/s' },
      { name: 'dispatch: floor', value: rate('dispatchFloor'), unit: 'commands/s' },
      {
        name: 'verify and store, one after the other',
        value: round(median(measured.singles) / 1_000, 2),
        unit: 'ms a command',
      },
      { name: 'resident memory in the last third', value: round(memory.last / 1_024, 0), unit: 'MiB' },
      ...Object.entries(answers).map(([name, times]) => ({
        name: `${name}, 99 of 100 within`,
        value: round(percentile(times, 0.99), 2),
        unit: 'ms',
      })),
    ],
    absent: [],
    notes: [
      `Commands are balances of a park of ${many(METERS)} prepaid meters, signed by the prepayment link, ${BATCH} at a time: as many as share a commit (ADR 0133). SQLite with synchronous FULL on both sides.`,
      'The floor verifies one signature for a command and one for its answer, makes one ephemeral key and one agreement to seal, and writes the same rows by hand: command, signed bytes and hash-chained audit row for each step, without an index but the keys, a rule, or anybody looked up.',
      'The memory is of a process that also signs for the link and for the meters.',
      `Pages are of 50; ${worst.name} is the slowest.`,
    ],
    details: measured.costs,
  };
}

export const bench: Bench = {
  what: 'A desk: commands verified and stored durably, dispatched and ended, beside the floor that cryptography and disk set; its memory; and its lists at a million commands.',
  run,
};
