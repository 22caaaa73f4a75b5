import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom } from '../../gateway/runtime/random.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { newDeviceName, YearDevice } from './year-device.ts';
import { type Had, type Judgement, judgeYear, type Kept, Ledger } from './year-ledger.ts';
import {
  atDay,
  BOUND_MS,
  CA_DOWN,
  DAY_MS,
  FLUVIUS,
  LIFE_DAYS,
  ORES,
  type PlannedMeter,
  PUBLISHER_DOWN,
  planYear,
  RELOAD_MS,
  type Role,
  YEAR_DAYS,
  type YearOptions,
} from './year-plan.ts';
import { MomentQueue } from './year-queue.ts';
import { Stranger } from './year-stranger.ts';
import { type YearFaults, YearWorld } from './year-world.ts';

/** A year, event by event, with everything that is planned in it. */

export interface YearResult {
  readonly judgement: Judgement;
  readonly counts: Readonly<Record<string, number>>;
  readonly closed: number;
  readonly keptByTaken: number;
  readonly kidsInUse: readonly string[];
}

/** When an operator's keys change: the sealing key of one, and the issuing CA of the other, with its sealing key. */
const SEALING_ROLL = { tenant: ORES, day: 120, destroyDay: 120 + 70 } as const;
const CA_ROLL = { tenant: FLUVIUS, day: 150, destroyDay: 150 + 70, retireDay: 150 + 90 } as const;
/** How soon a device renews that hears of a new issuing CA: a sixtieth of its certificates' life, and half of that at least. */
const AFTER_NEW_CA_DAYS = LIFE_DAYS / 60;

const HOUR_MS = 3_600_000;
const CODE_VALID_MS = 30 * DAY_MS;
/** How often the CAs publish by themselves: each hour in production. */
const PUBLISH_EVERY_MS = 2 * DAY_MS;
/** Nothing is closed any more, and whoever expired in the last days is visited and delivers. */
const EPILOGUE_DAYS = 18;
const ANSWER_LOST = 0.05;
const TRIES_OF_A_STRANGER = 10;
/** Nobody waits longer than this for an MDM that is busy now and then. */
const WAKES_MAX = 50;

/** A disk that takes no time: ten thousand flushes are not what is tried here, and power cuts have tests of their own. */
const MEMORY = '/dev/shm';
/** Several times what the registers of a thousand devices take. */
const MEMORY_BYTES_MIN = 256 * 2 ** 20;

function folderOfAYear(): string {
  try {
    const { bavail, bsize } = statfsSync(MEMORY);
    if (bavail * bsize >= MEMORY_BYTES_MIN) return mkdtempSync(join(MEMORY, 'hes-year-'));
  } catch {
    // There is none, or it is not ours to write to: it takes longer then.
  }
  return mkdtempSync(join(tmpdir(), 'hes-year-'));
}

export async function liveYear(options: YearOptions, faults: YearFaults = {}): Promise<YearResult> {
  const folder = folderOfAYear();
  const year = new Year(options, new YearWorld({ folder, seed: options.seed, faults }));
  try {
    return await year.live();
  } finally {
    year.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Meter {
  readonly plan: PlannedMeter;
  device: YearDevice;
  /** Those that hung here before. */
  readonly old: YearDevice[] = [];
  healthy = true;

  constructor(plan: PlannedMeter, device: YearDevice) {
    this.plan = plan;
    this.device = device;
  }
}

class Year {
  readonly #options: YearOptions;
  readonly #world: YearWorld;
  readonly #ledger = new Ledger();
  readonly #queue = new MomentQueue();
  readonly #meters: Meter[] = [];
  readonly #random: () => number;

  constructor(options: YearOptions, world: YearWorld) {
    this.#options = options;
    this.#world = world;
    this.#random = seededRandom(options.seed, 'year');
  }

  async live(): Promise<YearResult> {
    for (const plan of planYear(this.#options)) this.#at(plan.enrolledDay, () => this.#install(plan));
    this.#planOperators();
    await this.#run();
    // The year is over: whoever is in good standing has sent what he had.
    for (const meter of this.#meters) await this.#empty(meter);
    return this.#result();
  }

  close(): void {
    this.#world.close();
  }

  #at(day: number, run: () => Promise<void> | void): void {
    this.#queue.add(atDay(day), run);
  }

  async #run(): Promise<void> {
    const endMs = atDay(YEAR_DAYS + EPILOGUE_DAYS);
    for (let next = this.#queue.next(); next !== undefined && next.atMs <= endMs; next = this.#queue.next()) {
      this.#world.advance(next.atMs);
      await next.run();
    }
  }

  #planOperators(): void {
    const { tenant, day, destroyDay } = SEALING_ROLL;
    this.#at(day, () => this.#world.rollSealingKey(tenant));
    this.#at(destroyDay, () => this.#world.destroyFormerSealingKey(tenant));
    this.#at(CA_ROLL.day, () => this.#world.bringIssuingCa(CA_ROLL.tenant));
    this.#queue.add(atDay(CA_ROLL.day) + 2 * RELOAD_MS, () => this.#world.useIssuingCa(CA_ROLL.tenant));
    this.#at(CA_ROLL.destroyDay, () => this.#world.destroyFormerSealingKey(CA_ROLL.tenant));
    this.#at(CA_ROLL.retireDay, () => this.#world.retireIssuingCa(CA_ROLL.tenant));
    const publish = (): void => {
      const today = this.#today();
      if (today < PUBLISHER_DOWN.fromDay || today > PUBLISHER_DOWN.toDay) this.#world.publish();
      if (today < YEAR_DAYS + 1) this.#queue.add(this.#world.nowMs + PUBLISH_EVERY_MS, publish);
    };
    this.#at(-1, publish);
  }

  #today(): number {
    return (this.#world.nowMs - atDay(0)) / DAY_MS;
  }

  #newDevice({ home, guests }: PlannedMeter): YearDevice {
    const device = newDeviceName();
    const { register } = this.#world.of(home).ca;
    register.devices.add({ device, home, guests }, 'test');
    return new YearDevice({
      device,
      home,
      guests,
      world: this.#world,
      ledger: this.#ledger,
      code: this.#codeFor(device, home),
    });
  }

  #codeFor(device: YearDevice['device'], home: TenantId): string {
    return this.#world
      .of(home)
      .ca.register.devices.newCode(device, this.#world.nowMs + CODE_VALID_MS, 'installer');
  }

  #install(plan: PlannedMeter): void {
    const meter = new Meter(plan, this.#newDevice(plan));
    this.#meters.push(meter);
    this.#planRenewal(meter);
    this.#planRole(meter, plan.role);
    const random = seededRandom(this.#options.seed, 'wakes', plan.at);
    for (let day = 0; day < YEAR_DAYS; day += 1)
      if ((day + plan.phase) % this.#options.every === 0)
        // Midnight in Belgium is before that of UTC; a wake has its jitter.
        this.#at(day + 1 + random() * 0.2, () => this.#closeAndSend(meter, day));
  }

  async #closeAndSend(meter: Meter, day: number): Promise<void> {
    const { device, plan } = meter;
    device.close(day, 1_000_000 + plan.at * 1_000 + day);
    await this.#wake(meter);
    this.#tryLater(meter);
  }

  /** What an MDM had no time for goes an hour later, and then ever more seldom. */
  #tryLater(meter: Meter, delayMs = HOUR_MS): void {
    const { device, plan } = meter;
    if (device.waiting === 0 || device.trying || this.#isAway(plan.role)) return;
    device.trying = true;
    this.#queue.add(this.#world.nowMs + delayMs, async () => {
      device.trying = false;
      if (device !== meter.device) return;
      await this.#wake(meter);
      this.#tryLater(meter, Math.min(2 * delayMs, DAY_MS));
    });
  }

  #isAway(role: Role): boolean {
    const today = this.#today();
    return role.kind === 'away' && today >= role.fromDay && today < role.toDay;
  }

  async #wake(meter: Meter): Promise<void> {
    const { device, plan } = meter;
    if (this.#isAway(plan.role)) return;
    const before = device.isOfAFormerCa;
    await device.wake();
    if (device.isOfAFormerCa && !before) this.#leaveFormerCa(meter);
  }

  /** Until nothing waits: somebody stands beside the meter, or the year is over. */
  async #empty(meter: Meter): Promise<void> {
    for (let left = WAKES_MAX; left > 0 && meter.device.waiting > 0; left -= 1) await this.#wake(meter);
  }

  /** It has heard of a new CA, and does not wait for two thirds of its certificates' life. */
  #leaveFormerCa(meter: Meter): void {
    this.#ledger.count('heard of a new CA');
    this.#planRenewal(meter, this.#world.nowMs + (0.5 + this.#random() / 2) * AFTER_NEW_CA_DAYS * DAY_MS);
  }

  #planRenewal(
    meter: Meter,
    dueMs = meter.device.credentials.tls.notBeforeMs + meter.plan.renewAfterDays * DAY_MS,
  ): void {
    const { device } = meter;
    const { serial } = device.credentials.tls;
    const renew = async (): Promise<void> => {
      // Another renewal came first, or another device.
      if (device !== meter.device || serial !== device.credentials.tls.serial) return;
      const today = this.#today();
      const isBlocked =
        (today >= CA_DOWN.fromDay && today < CA_DOWN.toDay) ||
        this.#isAway(meter.plan.role) ||
        (meter.plan.role.kind === 'expires' && meter.healthy);
      const why = isBlocked ? 'nobody answers' : device.renew(this.#random() < ANSWER_LOST);
      this.#ledger.count(`renewal: ${why ?? 'done'}`);
      if (why === null) return this.#planRenewal(meter);
      if (this.#world.nowMs > device.credentials.tls.notAfterMs) return this.#planVisit(meter);
      this.#queue.add(this.#world.nowMs + (0.5 + this.#random()) * DAY_MS, renew);
    };
    this.#queue.add(dueMs, renew);
  }

  /** Its certificates are over: an installer comes with a code. */
  #planVisit(meter: Meter): void {
    const { role } = meter.plan;
    this.#ledger.count('expired');
    const days = role.kind === 'expires' ? role.visitAfterDays : 1;
    this.#queue.add(this.#world.nowMs + days * DAY_MS, async () => {
      const { device } = meter;
      device.enrolAnew(this.#codeFor(device.device, device.home));
      this.#ledger.count('enrolled anew');
      meter.healthy = false;
      this.#planRenewal(meter);
      await this.#wake(meter);
    });
  }

  #planRole(meter: Meter, role: Role): void {
    // It is there again: the day that is over goes with the others, and it hears what happened meanwhile.
    if (role.kind === 'away')
      this.#at(role.toDay + 0.5, () => this.#closeAndSend(meter, Math.floor(role.toDay) - 1));
    if (role.kind === 'replaced') {
      this.#at(role.day, () => this.#replace(meter));
      this.#at(role.foundDay, () => {
        this.#letLoose(meter.old[0]!, this.#today());
      });
    }
    if (role.kind !== 'stolen') return;
    this.#at(role.leakDay, () => this.#letLoose(meter.device, role.revokeDay));
    this.#at(role.revokeDay, () =>
      role.how === 'at-once' ? this.#takeBack(meter) : this.#newKeysFirst(meter),
    );
    if (role.how === 'at-once')
      this.#at(role.visitDay, () => {
        meter.device = this.#newDevice(meter.plan);
        this.#planRenewal(meter);
      });
  }

  /** Somebody has its keys from now on; `revokeDay` is when that is over, and the moments around it are the best ones. */
  #letLoose(victim: YearDevice, revokeDay: number): void {
    const stranger = new Stranger(victim, this.#world, this.#ledger, this.#options.seed);
    const fromDay = this.#today();
    for (let at = 0; at < TRIES_OF_A_STRANGER; at += 1)
      this.#at(fromDay + this.#random() * (YEAR_DAYS - fromDay), () => stranger.tryAll());
    const revokedMs = atDay(revokeDay);
    for (const atMs of [
      revokedMs - 1_000,
      revokedMs + 1_000,
      revokedMs + BOUND_MS + 1,
      revokedMs + 2 * BOUND_MS,
    ])
      if (atMs > this.#world.nowMs) this.#queue.add(atMs, () => stranger.tryAll());
  }

  /** The new one takes over when the old one has nothing more to give. */
  async #replace(meter: Meter): Promise<void> {
    const { device } = meter;
    await this.#empty(meter);
    meter.old.push(device);
    meter.device = this.#newDevice(meter.plan);
    this.#planRenewal(meter);
    this.#revokeAll(device, 'superseded');
    this.#ledger.count('replaced');
  }

  #takeBack(meter: Meter): void {
    const { device } = meter;
    meter.old.push(device);
    this.#ledger.takenAtOnce.add(device.device);
    this.#revokeAll(device, 'keyCompromise');
    this.#ledger.count('taken back at once');
  }

  #revokeAll({ device, home }: YearDevice, reason: 'superseded' | 'keyCompromise'): void {
    this.#world.of(home).ca.authority.revokeDevice(device, { reason, by: 'operator' });
    this.#ledger.revoked(this.#ledger.serialsOf(device), this.#world.nowMs);
  }

  async #newKeysFirst(meter: Meter): Promise<void> {
    const { device } = meter;
    await this.#empty(meter);
    const before = this.#ledger.serialsOf(device.device);
    device.enrolAnew(this.#codeFor(device.device, device.home));
    this.#planRenewal(meter);
    const { authority } = this.#world.of(device.home).ca;
    const { certificates } = authority.register;
    // What a retired CA certified is believed by nobody, and stands on no list.
    for (const serial of before)
      if ([...authority.keyIds].some((keyId) => certificates.find(keyId, serial) !== undefined))
        authority.revoke(serial, { reason: 'keyCompromise', by: 'operator' });
    this.#ledger.revoked(before, this.#world.nowMs);
    this.#ledger.count('taken back after new keys');
  }

  #result(): YearResult {
    const kept: Kept[] = this.#meters.flatMap(({ device, old }) => [device, ...old].map((one) => one.kept()));
    const taken = kept.filter(({ device }) => this.#ledger.takenAtOnce.has(device));
    const mdms = new Map<TenantId, ReadonlyMap<string, Had>>(
      [...this.#world.operators].map(([tenant, { mdm }]) => [tenant, mdm.had]),
    );
    return {
      judgement: judgeYear(this.#ledger, mdms, kept),
      counts: this.#ledger.counts(),
      closed: this.#ledger.closed.size,
      keptByTaken: taken.reduce((sum, { pending, parked }) => sum + pending.length + parked.length, 0),
      kidsInUse: [...new Set(this.#meters.map(({ device }) => device.sealsTo(device.home)))],
    };
  }
}
