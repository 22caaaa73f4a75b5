import type { TenantId } from '../../protocol/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { Commands, EdgeCommands } from './commands.ts';
import type { Notice } from './operations/step.ts';
import type { Peer, WakeSchedule } from './schedule.ts';

export interface CommandWakesOptions {
  readonly commands: EdgeCommands;
  readonly commanded: Commands;
  readonly schedule: WakeSchedule;
  readonly clock: Clock;
  readonly random: Random;
}

/** What happens to a whole park at one moment is told when each device wakes anyway, not by all of them at once. */
const UNHURRIED: ReadonlySet<Notice> = new Set(['tariff-changed', 'message-ended']);

/** When a device under command wakes, beside the readings that wait. */
export class CommandWakes {
  stay: boolean;
  readonly #options: CommandWakesOptions;
  readonly #everyMs: number | null;
  #pollAtMs: number;

  constructor(options: CommandWakesOptions) {
    const { commands, commanded, schedule, clock, random } = options;
    const { stay = false, everyMs = null } = commands;
    this.#options = options;
    this.stay = stay;
    this.#everyMs = everyMs;
    this.#pollAtMs = clock.nowMs() + Math.floor(random() * (everyMs ?? 0));
    // A town that gets its power back does not come at once. Readings and polls have a jitter of their own.
    if (stay) schedule.failed('head-end');
    if (commanded.owedReports().length > 0) schedule.added();
  }

  /** A wake that reached the head-end. */
  reached(): void {
    this.#pollAtMs = this.#options.clock.nowMs() + (this.#everyMs ?? 0);
  }

  /** The device has another key: its renewal had a jitter of its own. */
  renewed(): void {
    const { schedule, commanded } = this.#options;
    if (commanded.owedReports().length > 0) schedule.hurry();
  }

  heard(notice: Notice): void {
    const { schedule, commanded } = this.#options;
    if (commanded.operations.reportOwed === null) return;
    if (UNHURRIED.has(notice)) schedule.added();
    else schedule.hurry();
  }

  /** @param owners of the readings that wait */
  nextMs(owners: Iterable<TenantId>, isConnected: boolean): number | null {
    const { commanded, schedule } = this.#options;
    if (commanded.silent) return null;
    const moments = [this.#resultsMs()];
    if (!commanded.speaksOfResultsOnly)
      moments.push(this.#readingsMs(owners), this.#connectionMs(isConnected));
    const worthwhile = moments.filter((moment) => moment !== null);
    if (worthwhile.length === 0) return null;
    const nextMs = Math.min(...worthwhile);
    return isConnected ? nextMs : Math.max(nextMs, schedule.notBeforeMs('head-end'));
  }

  /** Somebody waits for a result: no jitter. */
  #resultsMs(): number | null {
    const { commanded, schedule } = this.#options;
    const tenants = new Set(commanded.operations.results().map(({ tenant }) => tenant));
    if (tenants.size === 0) return null;
    return Math.min(...[...tenants].map((tenant) => schedule.notBeforeMs(`${tenant} results`)));
  }

  /** Readings, and what the operator is to know of the meter. */
  #readingsMs(owners: Iterable<TenantId>): number | null {
    const { commanded, schedule } = this.#options;
    const peers = new Set<Peer>(owners);
    for (const tenant of commanded.owedReports()) peers.add(`${tenant} results`);
    return schedule.nextMs(peers);
  }

  #connectionMs(isConnected: boolean): number | null {
    if (this.stay) return isConnected ? null : 0;
    if (this.#everyMs === null) return null;
    // A clock that was years ahead, and was put right since, must not silence a device for years.
    this.#pollAtMs = Math.min(this.#pollAtMs, this.#options.clock.nowMs() + this.#everyMs);
    return this.#pollAtMs;
  }
}
