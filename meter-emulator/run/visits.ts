import { dayOfOrdinal, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { Counters } from '../../gateway/runtime/counters.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { FleetCommands } from './commands.ts';
import type { EdgeHandle, IndexName, OpenEdge } from './edge-handle.ts';
import { EdgePool } from './edge-pool.ts';
import type { Station } from './station.ts';
import type { Tally } from './tally.ts';

export interface VisitOptions {
  readonly open: OpenEdge;
  /** Devices open at once. */
  readonly openMax: number;
  readonly tally: Tally;
  readonly counters: Counters;
  readonly signal: AbortSignal;
  /** What commands and people on site did to a device. */
  readonly commands?: Pick<FleetCommands, 'isSilent' | 'isDark'>;
}

/** Troubles of one device that may pass: it is tried again, and the others do not wait for it. */
const PASSING: ReadonlySet<string> = new Set([
  'ERR_OUTBOX_FULL',
  'ERR_OUTBOX_LOCKED',
  'ERR_OUTBOX_READ',
  'ERR_OUTBOX_WRITE',
]);

/** How soon such a device is tried again. */
export const TROUBLE_RETRY_MS = 1_000;

/** A device that slept longer than this closes the rest as days that were missed (edge/days/owner-days.ts). */
const CATCH_UP_DAYS_MAX = 62;

/** The two things that are done with a device: closing days and waking it; both are counted. */
export class Visits {
  readonly #options: VisitOptions;
  readonly #pool: EdgePool;
  /** Devices whose outbox was looked at for indexes of an earlier run. */
  readonly #seen = new Set<Station>();

  constructor(options: VisitOptions) {
    this.#options = options;
    this.#pool = new EdgePool(options.open, options.openMax);
  }

  /**
   * Count what was done for these days before this run: each of them is owed once to each owner, by whichever
   * process closed it. To be called once per device and day, before the day is closed.
   * @returns whether it could be looked at; a device in trouble is to be asked again
   */
  async begin(station: Station, owed: readonly LocalDay[]): Promise<boolean> {
    const looked = await this.#use(station, async (edge) => {
      this.#adopt(station, edge, owed);
      this.#countClosed(station, edge, owed);
      return true;
    });
    return looked ?? false;
  }

  /**
   * Close days of a device, oldest first. Days that are closed already, by this process or by one that was killed,
   * are not closed again.
   * @returns how many of the days are closed now; fewer than asked for where the outbox had no room
   */
  async close(station: Station, days: readonly LocalDay[]): Promise<number> {
    const { counters } = this.#options;
    let closed = 0;
    await this.#use(station, async (edge) => {
      const open = days.filter((day) => station.owners.some((owner) => !isClosed(edge, owner, day)));
      closed = days.length - open.length;
      if (open.length === 0) return;
      await station.show(open, {
        observe: (snapshot) => edge.observe(snapshot),
        close: async (day) => {
          await edge.close(day);
          closed++;
          counters.count('fleet.closed', station.owners.length);
        },
      });
    });
    return closed;
  }

  /**
   * Wake a device where that is worth it now.
   * @returns the milliseconds after which to come again, or null when all of its indexes have their receipt
   */
  async wake(station: Station): Promise<number | null> {
    const { counters, tally, signal } = this.#options;
    const again = await this.#use(station, async (edge) => {
      if (this.isDark(station)) return { inMs: TROUBLE_RETRY_MS };
      const inMs = edge.nextWakeInMs();
      if (inMs === null || inMs > 0) return { inMs };
      const { settled, failure } = await edge.wake(signal);
      counters.count('fleet.wakes');
      if (failure !== null) counters.count(`fleet.wakeFailed.${failure}`);
      for (const { owner, day, outcome } of settled) tally.settle(owner, dayOfOrdinal(day).name, outcome);
      return { inMs: edge.nextWakeInMs() };
    });
    return again === null ? TROUBLE_RETRY_MS : again.inMs;
  }

  /** Close what a device that was seen before has missed up to a day; one that was never seen has missed nothing. */
  async catchUp(station: Station, last: LocalDay): Promise<void> {
    const found = await this.#use(station, async (edge) => {
      this.#adopt(station, edge, []);
      return {
        through: Math.min(...station.owners.map((owner) => edge.closedThrough(owner) ?? last.ordinal)),
      };
    });
    if (found === null || this.isSilent(station)) return;
    const days: LocalDay[] = [];
    for (let day = Math.max(found.through + 1, last.ordinal - CATCH_UP_DAYS_MAX); day <= last.ordinal; day++)
      days.push(dayOfOrdinal(day));
    for (const owner of station.owners) this.#options.tally.expect(owner, days.length);
    if (days.length > 0 && (await this.begin(station, days))) await this.close(station, days);
  }

  /** Have a device open while something is done with it. @throws what opening it throws */
  with(station: Station, act: () => Promise<void>): Promise<void> {
    return this.#pool.use(station, act);
  }

  /** In airplane mode no index is owed. */
  isSilent(station: Station): boolean {
    return this.#options.commands?.isSilent(station) ?? false;
  }

  /** Without power nothing is closed and nothing sent; it is done when power is back. */
  isDark(station: Station): boolean {
    return this.#options.commands?.isDark(station) ?? false;
  }

  /** Whether a device is awake or closing a day at this moment. */
  isBusy(station: Station): boolean {
    return this.#pool.isBusy(station);
  }

  /** Let go of all devices; wakes under way are ended by the signal, not by this. */
  stop(): Promise<void> {
    return this.#pool.close();
  }

  /** Null where the device had a trouble that may pass. */
  async #use<T>(station: Station, act: (edge: EdgeHandle) => Promise<T>): Promise<T | null> {
    try {
      return await this.#pool.use(station, act);
    } catch (error) {
      if (!isHesError(error) || !PASSING.has(error.code)) throw error;
      this.#options.counters.count(`fleet.trouble.${error.code}`);
      return null;
    }
  }

  /** What waits from before this run is owed as well. */
  #adopt(station: Station, edge: EdgeHandle, owed: readonly LocalDay[]): void {
    if (this.#seen.has(station)) return;
    this.#seen.add(station);
    for (const { owner, day } of edge.waiting())
      if (!owed.some(({ ordinal }) => ordinal === day)) this.#options.tally.expect(owner);
  }

  #countClosed(station: Station, edge: EdgeHandle, days: readonly LocalDay[]): void {
    for (const owner of station.owners)
      for (const day of days) {
        if (!isClosed(edge, owner, day)) continue;
        // What waits is counted when its receipt comes.
        if (has(edge.waiting(), owner, day)) continue;
        const outcome = has(edge.parked(), owner, day) ? 'refused' : 'delivered';
        this.#options.tally.settle(owner, day.name, outcome);
      }
  }
}

function isClosed(edge: EdgeHandle, owner: IndexName['owner'], day: LocalDay): boolean {
  return day.ordinal <= (edge.closedThrough(owner) ?? Number.NEGATIVE_INFINITY);
}

function has(names: readonly IndexName[], owner: IndexName['owner'], day: LocalDay): boolean {
  return names.some((name) => name.owner === owner && name.day === day.ordinal);
}
