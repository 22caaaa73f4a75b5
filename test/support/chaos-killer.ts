import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from '../../gateway/runtime/child.ts';
import { type Random, randomPick, seededRandom } from '../../gateway/runtime/random.ts';

/** Those that readings pass through. */
export const KINDS = ['front', 'router', 'mdm', 'edge'] as const;
export type Kind = (typeof KINDS)[number];

/** One death of a schedule, which is drawn as a whole before the first: the same seed gives the same one. */
export interface Death<K extends string = Kind> {
  readonly kind: K;
  /** Which of that kind, as a fraction of how many there are. */
  readonly which: number;
  /** After the one before it; 0 for two at once. */
  readonly afterMs: number;
  /** `up`: when it does its work. `starting`: as soon as there is a process, in the middle of its recovery. */
  readonly when: 'up' | 'starting';
}

/** Between two kills: long enough that what came back does some work, short enough that much is half done. */
const PAUSE_MS = [20, 320] as const;
const TWO_AT_ONCE = 0.12;
const WHILE_STARTING = 0.2;

/** As many of each kind as of the others, in an order by chance. */
export function drawSchedule(seed: number, deaths: number): readonly Death[];
export function drawSchedule<K extends string>(
  seed: number,
  deaths: number,
  kinds: readonly K[],
): readonly Death<K>[];
export function drawSchedule(
  seed: number,
  deaths: number,
  kinds: readonly string[] = KINDS,
): readonly Death<string>[] {
  const random = seededRandom('kills', seed);
  return Array.from({ length: Math.ceil(deaths / kinds.length) }, () => shuffled(random, kinds))
    .flat()
    .slice(0, deaths)
    .map((kind) => ({
      kind,
      which: random(),
      afterMs: random() < TWO_AT_ONCE ? 0 : Math.round(PAUSE_MS[0] + random() * (PAUSE_MS[1] - PAUSE_MS[0])),
      when: random() < WHILE_STARTING ? 'starting' : 'up',
    }));
}

function shuffled<T>(random: Random, entries: readonly T[]): T[] {
  const left = [...entries];
  return Array.from({ length: left.length }, () => {
    const next = randomPick(random, left);
    left.splice(left.indexOf(next), 1);
    return next;
  });
}

/** A process that is not back by then will not come back. */
const BACK_WITHIN_MS = 120_000;

export interface KillerOptions<K extends string = Kind> {
  readonly schedule: readonly Death<K>[];
  /** Who may die at this moment; a kind of which there is nobody is waited for. */
  readonly victims: (kind: K) => readonly Child[];
}

/** Carries a schedule out, and counts. */
export class Killer<K extends string = Kind> {
  readonly killed: Record<K, number>;
  readonly #options: KillerOptions<K>;

  constructor(options: KillerOptions<K>) {
    this.#options = options;
    const kinds = new Set(options.schedule.map(({ kind }) => kind));
    this.killed = Object.fromEntries([...kinds].map((kind) => [kind, 0])) as Record<K, number>;
  }

  get deaths(): number {
    return (Object.values(this.killed) as number[]).reduce((sum, times) => sum + times, 0);
  }

  async run(): Promise<void> {
    for (const death of this.#options.schedule) {
      await delay(death.afterMs);
      const endMs = performance.now() + BACK_WITHIN_MS;
      while (!this.#kill(death)) {
        if (performance.now() > endMs) throw new Error(`no ${death.kind} came back to be killed`);
        await delay(5);
      }
      this.killed[death.kind]++;
    }
  }

  #kill({ kind, which, when }: Death<K>): boolean {
    const victims = this.#options.victims(kind);
    const victim = victims[Math.floor(which * victims.length)];
    if (victim === undefined || victim.pid === undefined) return false;
    return (
      (victim.state === 'ready' || (when === 'starting' && victim.state === 'starting')) &&
      victim.kill('SIGKILL')
    );
  }
}
