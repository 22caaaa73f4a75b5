import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type DailyIndex, QUALITY } from '../../protocol/reading.ts';
import { manualClock } from '../runtime/clock.ts';
import { Counters } from '../runtime/counters.ts';
import { type Random, randomInteger, seededRandom } from '../runtime/random.ts';
import { dayAfter, dayNamed, dayOfOrdinal, type LocalDay } from './days/calendar.ts';
import { EdgeDevice } from './device.ts';
import { deviceBench, WATER_SERIAL } from './testing/device.ts';
import { SimulatedDisk } from './testing/disk.ts';
import { releaseLock } from './testing/kill.ts';
import { type Death, type Life, lifeOf, within } from './testing/life.ts';
import { FARYS, IMPORT_DAY, meter, ORES, register, snapshot, timestamp, WATER } from './testing/meters.ts';
import { type ExpectedDay, Oracle } from './testing/oracle.ts';

/**
 * A device over three weeks in which everything happens, again and again from other seeds. What must arrive is
 * worked out from the seed by somebody else (testing/oracle.ts), and is compared to the last quarter-hour.
 *
 * HES_SEEDS=500 npx vitest run --project fast gateway/edge/endurance.test.ts
 */
const SEEDS = Number(process.env['HES_SEEDS'] ?? 5);
const FIRST_SEED = Number(process.env['HES_SEED'] ?? 1);
const WEEKS_DAYS = 21;
/** Three weeks with the clocks going forward, back, and neither. */
const STARTS = ['2026-03-16', '2026-10-12', '2026-05-04'];
const RETRY_MS = 3 * 3_600_000;

const bench = deviceBench();

const energyWh = (trueTime: number): number => 3_000_000 + Math.floor((trueTime - 1_770_000_000) / 11);
const waterLitres = (trueTime: number): number => 40_000 + Math.floor((trueTime - 1_770_000_000) / 1_234);

class Simulation {
  readonly #life: Life;
  readonly #random: Random;
  readonly #disk: SimulatedDisk;
  readonly #oracle = new Oracle();
  readonly #expected = new Map<string, ExpectedDay>();
  readonly #clock = manualClock(Date.now());
  readonly #counters = new Counters();
  readonly #seen = new Map<string, DailyIndex>();
  #device: EdgeDevice | null = null;
  #first: LocalDay | undefined;

  constructor(seed: number, life: Life) {
    this.#life = life;
    this.#random = seededRandom(seed, 'fate');
    this.#disk = new SimulatedDisk(seededRandom(seed, 'disk'));
    bench.headEnd.answer = (index) => {
      const key = `${index.tenant} ${index.sequence}`;
      const known = this.#seen.get(key);
      if (known === undefined) this.#seen.set(key, index);
      else expect(index).toEqual(known);
      // The MDM has it, and the device does not hear of it.
      if (this.#random() < 0.15) return 'close';
      return { verdict: known === undefined ? 'delivered' : 'duplicate' };
    };
  }

  async run(): Promise<void> {
    for (const moment of this.#life.telegrams) {
      const death = within(this.#life.deaths, moment);
      if (death !== undefined) await this.#die(death.how);
      else {
        this.#disk.full = within(this.#life.diskFull, moment) !== undefined;
        this.#device ??= this.#boot();
        if (within(this.#life.unplugged, moment) === undefined) await this.#telegram(moment);
        if (this.#random() < 0.3) await this.#close();
        if (within(this.#life.offline, moment) === undefined && this.#random() < 0.05) await this.#wake();
      }
    }
  }

  /** All is well again: everything that is owed arrives. */
  async end(moment: number): Promise<void> {
    this.#disk.full = false;
    this.#device ??= this.#boot();
    await this.#telegram(moment);
    const owed = this.#owed();
    await this.#device.closeDay();
    this.#noteClosed(owed);
    for (let attempt = 0; attempt < 40 && this.#device.pending() > 0; attempt++) await this.#wake();
    expect([this.#device.pending(), this.#device.due().length]).toEqual([0, 0]);
    await this.#device.close();
    this.#compare(moment);
  }

  #boot(): EdgeDevice {
    releaseLock(bench.directory);
    return EdgeDevice.open({
      directory: bench.directory,
      identity: bench.identity,
      owners: ({ medium }) => (medium === 'water' ? FARYS : ORES),
      headEnd: { host: '127.0.0.1', port: bench.headEnd.port },
      clock: this.#clock,
      random: seededRandom(1, 'edge'),
      counters: this.#counters,
      development: true,
      checkpoint: true,
      files: this.#disk.files(),
    });
  }

  async #telegram(moment: number): Promise<void> {
    const offset = within(this.#life.clockWrong, moment)?.offset ?? 0;
    const at = moment + offset;
    this.#device!.observe({
      ...snapshot(at, [
        meter([register(IMPORT_DAY, energyWh(moment))]),
        meter([register(WATER, waterLitres(moment), { unit: 'm3', scaler: -3 })], {
          medium: 'water',
          channel: 2,
          serial: WATER_SERIAL,
        }),
      ]),
      meterTime: timestamp(moment),
    });
    const next = this.#life.deaths.find(({ from }) => from > moment);
    const telegrams = this.#life.telegrams;
    const following = telegrams[telegrams.indexOf(moment) + 1] ?? Number.POSITIVE_INFINITY;
    const cut = next?.how === 'cut writing' && next.from <= following;
    const believed = Math.abs(offset) < 2 * 86_400;
    if (believed) this.#oracle.came(at, energyWh(moment), !this.#disk.full && !cut);
    this.#first ??= dayOfOrdinal(this.#oracle.endedBefore);
    // The power goes before the disk has said yes.
    if (cut) this.#gone('cut');
    else await nextTurn();
  }

  async #die(how: Death): Promise<void> {
    const device = this.#device;
    if (device === null) return;
    if (how === 'closed') {
      await device.close();
      if (!this.#disk.full) this.#oracle.saved();
      this.#device = null;
    } else this.#gone(how === 'killed' ? 'killed' : 'cut');
    if (how === 'closed') this.#oracle.killed();
  }

  #gone(how: 'killed' | 'cut'): void {
    if (how === 'killed') this.#disk.kill();
    else this.#disk.powerCut();
    this.#oracle.killed();
    this.#device = null;
  }

  /** Close what is over; now and then the process does not live to see the end of it. */
  async #close(): Promise<void> {
    const device = this.#device;
    if (device === null || device.due().length === 0) return;
    const owed = this.#owed();
    const due = device.due().filter(({ owner }) => owner === ORES);
    expect(due.map(({ day }) => day.name)).toEqual(owed.map(({ day }) => day));
    const closing = device.closeDay().catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'ERR_OUTBOX_WRITE' });
      expect(this.#disk.full).toBe(true);
    });
    if (this.#random() < 0.15 && this.#oracle.allSafe) {
      for (let turn = randomInteger(this.#random, 0, 40); turn > 0; turn--) await Promise.resolve();
      this.#gone(this.#random() < 0.5 ? 'killed' : 'cut');
      this.#device = this.#boot();
    } else {
      await closing;
      await nextTurn();
      if (!this.#disk.full) this.#oracle.saved();
    }
    this.#noteClosed(owed);
  }

  /** Days that are over and not in the outbox, as they would be closed now. */
  #owed(): ExpectedDay[] {
    const owed: ExpectedDay[] = [];
    const from = (this.#device!.closedThrough(ORES) ?? this.#first!.ordinal - 1) + 1;
    for (let ordinal = from; ordinal < this.#oracle.endedBefore; ordinal++)
      owed.push(this.#oracle.day(dayOfOrdinal(ordinal)));
    return owed;
  }

  #noteClosed(owed: readonly ExpectedDay[]): void {
    const through = this.#device!.closedThrough(ORES)!;
    for (const expected of owed) {
      if (dayNamed(expected.day).ordinal > through) continue;
      expect(this.#expected.has(expected.day)).toBe(false);
      this.#expected.set(expected.day, expected);
    }
  }

  async #wake(): Promise<void> {
    if (this.#device === null || this.#device.pending() === 0) return;
    this.#clock.advance(RETRY_MS);
    await this.#device.wake();
  }

  #compare(end: number): void {
    const days: string[] = [];
    for (let day = this.#first!; day.end <= end; day = dayAfter(day)) days.push(day.name);
    for (const owner of [ORES, FARYS]) {
      const received = [...this.#seen.values()].filter(({ tenant }) => tenant === owner);
      expect(received.map(({ day }) => day).toSorted()).toEqual(days);
    }
    for (const { tenant, day, capturedAt, meters } of this.#seen.values()) {
      const expected = this.#expected.get(day)!;
      const { registers, profiles, flags } = meters[0]!;
      const late = (flags & QUALITY.closedLate) !== 0;
      const found = { day, capturedAt: capturedAt.epochSeconds, late };
      expect(found).toEqual({ day, capturedAt: expected.capturedAt, late: expected.late });
      if (tenant === FARYS) continue;
      expect({ day, value: registers[0]!.value }).toEqual({ day, value: expected.value });
      const deltas = profiles[0]?.deltas ?? new Array(expected.deltas.length).fill(null);
      expect({ day, deltas }).toEqual({ day, deltas: expected.deltas });
      expect((flags & QUALITY.profileGap) !== 0).toBe(expected.deltas.includes(null));
      expect(flags & (QUALITY.registerFell | QUALITY.registerJumped)).toBe(0);
    }
  }
}

test.each(Array.from({ length: SEEDS }, (_, index) => FIRST_SEED + index))(
  'three weeks of kills, cuts, unplugged cables, full disks, no network and wrong clocks: every day once, gaps exactly the outages (seed %i)',
  async (seed) => {
    const start = dayNamed(STARTS[seed % STARTS.length]!);
    const end = dayAfter(start, WEEKS_DAYS);
    const from = start.start + randomInteger(seededRandom(seed, 'start'), 0, 86_399);
    const simulation = new Simulation(seed, lifeOf(seededRandom(seed, 'life'), from, end.start - 60));
    await simulation.run();
    await simulation.end(end.start + 5);
  },
);
