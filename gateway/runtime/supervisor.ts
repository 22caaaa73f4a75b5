import { HesError } from '../../protocol/errors.ts';
import { Child, type ChildSpec, RESTART, type RestartPolicy } from './child.ts';
import type { CounterSnapshot } from './counters.ts';
import { type Log, silentLog } from './log.ts';
import { type Random, systemRandom } from './random.ts';

export interface SupervisorOptions {
  /** The supervisor's own log. */
  readonly log?: Log;
  /** Takes each line that a child writes; passed on to standard error unless told. */
  readonly onLine?: (child: string, line: string) => void;
  readonly random?: Random;
  readonly restart?: Partial<RestartPolicy>;
}

/**
 * A tree of processes: starts them, restarts what dies, hears their counters, stops them in order.
 *
 * Nothing of it outlives the supervisor: a child of `runService` ends by itself when the channel to its parent
 * closes, also when the parent was killed.
 */
export class Supervisor {
  readonly #children = new Map<string, Child>();
  readonly #log: Log;
  readonly #onLine: (child: string, line: string) => void;
  readonly #random: Random;
  readonly #restart: RestartPolicy;
  #stopping = false;

  constructor({ log = silentLog, onLine, random = systemRandom, restart }: SupervisorOptions = {}) {
    this.#log = log;
    this.#onLine = onLine ?? ((_child, line) => void process.stderr.write(`${line}\n`));
    this.#random = random;
    this.#restart = { ...RESTART, ...restart };
  }

  /**
   * Start a child and wait until it is ready. From then on it is kept alive.
   * @throws ERR_SUPERVISOR_START with the child's own reason; ERR_SUPERVISOR_STATE
   */
  async start(spec: ChildSpec): Promise<Child> {
    if (this.#stopping || this.#children.has(spec.name))
      throw new HesError('ERR_SUPERVISOR_STATE', `cannot start ${spec.name} now or under this name`);
    const child = new Child(spec, {
      log: this.#log,
      random: this.#random,
      restart: this.#restart,
      onLine: this.#onLine,
    });
    this.#children.set(spec.name, child);
    try {
      await child.start();
    } catch (error) {
      this.#children.delete(spec.name);
      throw error;
    }
    this.#log.info({ child: spec.name, childPid: child.pid }, 'a child is ready');
    return child;
  }

  get children(): readonly Child[] {
    return [...this.#children.values()];
  }

  child(name: string): Child | undefined {
    return this.#children.get(name);
  }

  /** Each child's counters by its name. */
  counters(): Readonly<Record<string, CounterSnapshot>> {
    return Object.fromEntries([...this.#children].map(([name, child]) => [name, child.counters]));
  }

  /** Stop all, by rank: lower first, equal ones together; without ranks, the last started first. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const lastFirst = this.children.toReversed();
    const byRank = Map.groupBy(lastFirst, (child) => child.spec.stopRank);
    const unranked = byRank.get(undefined) ?? [];
    byRank.delete(undefined);
    for (const child of unranked) await child.stop();
    for (const [, group] of [...byRank].sort(([a], [b]) => a! - b!))
      await Promise.all(group.map((child) => child.stop()));
  }
}
