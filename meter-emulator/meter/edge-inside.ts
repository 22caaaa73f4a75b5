import { dirname } from 'node:path';
import { QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice, type EdgeDeviceOptions } from '../../gateway/edge/device.ts';
import type { IdentityPort } from '../../gateway/edge/device-options.ts';
import type { Notice } from '../../gateway/edge/operations/step.ts';
import { Renewal } from '../../gateway/edge/renewal/renewal.ts';
import { estRenewalServer, type RenewalAddress } from '../../gateway/edge/renewal/server.ts';
import { type Clock, systemClock } from '../../gateway/runtime/clock.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { type Log, silentLog } from '../../gateway/runtime/log.ts';
import { systemRandom } from '../../gateway/runtime/random.ts';
import type { DeviceIdentity } from '../../pki/identity.ts';
import { readDeviceIdentity, replaceDeviceIdentity } from '../../pki/identity.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { DevicePlan } from '../fleet.ts';
import { CommandedMeter } from '../operations/commanded-meter.ts';
import { installationOf } from '../operations/installation.ts';
import { encodeTelegramBytes, type P1MeterState } from '../p1/encode.ts';
import { readPort } from '../read-port.ts';

export interface EdgeInsideOptions {
  /** The device's identity; its outbox, its journal and the note of its hardware lie beside it. */
  readonly identityFile: string;
  readonly headEnd: EdgeDeviceOptions['headEnd'];
  /** Which meters hang here; whose they are, the identity says. */
  readonly plan: DevicePlan;
  readonly stateAt: (meteringMs: number) => P1MeterState;
  /** The time that registers live in, and a second of it by the real clock. */
  readonly meteringClock: Clock;
  readonly realSeconds: (meteringSeconds: number) => number;
  /** Where it renews its keys, by time and at a command; without it, it refuses to. */
  readonly renewal?: RenewalAddress;
  readonly log?: Log;
  readonly onNotice?: (notice: Notice) => void;
}

/** It is looked every second whether something is due. */
const TICK_MS = 1_000;

/** Quarter-hours shown to the edge in one look: those of a day and a clock change. Older ones are gaps. */
const QUARTERS_SHOWN_MAX = 100;

type Chore = 'closing' | 'waking' | 'ticking';

/** A dialect that prints all that a household has, whatever its customer port speaks. */
const INNER_DIALECT = 'emucs-2.1.1';

/** Nobody waits for one meter at a desk: wakes are not spread over hours. */
const SCHEDULE = { jitterMs: 2_000, backoffBaseMs: 1_000, backoffMaxMs: 60_000 } as const;

/**
 * The edge inside an emulated physical meter: it reads the household's registers each quarter-hour, closes days,
 * stays connected, and takes the commands that the meter's display then shows.
 */
export class EdgeInside {
  readonly device: EdgeDevice;
  readonly meter: CommandedMeter;
  readonly #options: EdgeInsideOptions;
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  readonly #renewal: Renewal | null;
  #shownQuarter: number;
  readonly #busy = new Set<Chore>();

  private constructor(
    options: EdgeInsideOptions,
    { device, meter, renewal }: Pick<EdgeInside, 'device' | 'meter'> & { readonly renewal: Renewal | null },
  ) {
    this.device = device;
    this.meter = meter;
    this.#renewal = renewal;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#shownQuarter = this.#quarterNow() - 1;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#tick();
  }

  /**
   * @throws ERR_PKI_IDENTITY, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED, ERR_OUTBOX_LOCKED and its kin, ERR_JOURNAL_…
   */
  static async open(options: EdgeInsideOptions): Promise<EdgeInside> {
    const identity = readDeviceIdentity(options.identityFile);
    const plan = ownedPlan(options.plan, identity);
    const directory = dirname(options.identityFile);
    const port = portOf(options.identityFile, identity.device);
    const renewal = renewalOf(options, port);
    const meter = new CommandedMeter({
      directory,
      installation: installationOf(plan),
      ...(renewal === null ? {} : { renewal }),
    });
    const ownerOf = (channel: number): TenantId =>
      plan.meters.find((one) => one.channel === channel)?.owner ?? identity.home;
    const snapshotNow = () => snapshotAt(options, options.meteringClock.nowMs());
    let inside: EdgeInside | undefined;
    const device = await EdgeDevice.start({
      directory,
      identity: port,
      ...(renewal === null ? {} : { renewal }),
      owners: ({ channel }) => ownerOf(channel),
      headEnd: options.headEnd,
      development: true,
      checkpoint: true,
      limits: { schedule: SCHEDULE },
      ...(options.log === undefined ? {} : { log: options.log }),
      commands: {
        installation: meter.installation,
        hardware: meter.hardware,
        stay: meter.power,
        realSeconds: options.realSeconds,
        snapshot: snapshotNow,
        onNotice: (notice) => {
          if (notice === 'airplane-ended') setImmediate(() => inside?.device.observe(snapshotNow()));
          options.onNotice?.(notice);
        },
      },
    });
    meter.attach(device.operations!);
    inside = new EdgeInside(options, { device, meter, renewal });
    return inside;
  }

  /** The street's power: without it the meter is dark, and says nothing. */
  async setPower(on: boolean): Promise<void> {
    this.device.setStay(on);
    await this.meter.setPower(on);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.meter.stop();
    await this.#renewal?.close();
    await this.device.close();
  }

  #tick(): void {
    if (!this.meter.power) return;
    try {
      this.#show();
      this.#do('closing', this.device.due().length > 0, () => this.device.closeDay());
      const nextMs = this.device.nextWakeMs();
      this.#do('waking', nextMs !== null && nextMs <= systemClock.nowMs(), () => this.device.wake());
      this.#renewal?.tick();
      this.#do('ticking', this.meter.isLively, () => this.meter.tick(() => this.#loadW()));
    } catch (error) {
      this.#said(error);
    }
  }

  /** Quarter-hours that have ended since the last look, oldest first. */
  #show(): void {
    const now = this.#quarterNow();
    const from = Math.max(this.#shownQuarter + 1, now - QUARTERS_SHOWN_MAX);
    for (let quarter = from; quarter <= now; quarter++)
      this.device.observe(snapshotAt(this.#options, quarter * QUARTER_SECONDS * 1_000));
    this.#shownQuarter = now;
  }

  /** One of each at a time. */
  #do(name: Chore, due: boolean, work: () => Promise<unknown>): void {
    if (!due || this.#busy.has(name)) return;
    this.#busy.add(name);
    void work()
      .catch((error: unknown) => this.#said(error))
      .finally(() => this.#busy.delete(name));
  }

  /** It is tried again at the next look. */
  #said(error: unknown): void {
    if (!isHesError(error)) throw error;
    this.#log.warn({ err: error }, 'the edge inside could not do what was due');
  }

  #loadW(): number {
    const { phases } = this.#options.stateAt(this.#options.meteringClock.nowMs());
    return phases.reduce((sum, { importW }) => sum + importW, 0);
  }

  #quarterNow(): number {
    return Math.floor(this.#options.meteringClock.nowMs() / (QUARTER_SECONDS * 1_000));
  }
}

const portOf = (file: string, device: DeviceId): IdentityPort => ({
  device,
  load: () => readDeviceIdentity(file),
  save: (identity) => replaceDeviceIdentity(file, identity),
});

function renewalOf(
  { identityFile: file, renewal, log = silentLog }: EdgeInsideOptions,
  identity: IdentityPort,
): Renewal | null {
  if (renewal === undefined) return null;
  return new Renewal({
    file,
    identity,
    server: estRenewalServer(renewal),
    development: true,
    clock: systemClock,
    random: systemRandom,
    log,
    counters: new Counters(),
  });
}

function snapshotAt({ stateAt }: EdgeInsideOptions, meteringMs: number) {
  const state = stateAt(meteringMs);
  return readPort(encodeTelegramBytes(INNER_DIALECT, state), state.time);
}

/** The same meters under the owners of an identity: electricity, gas and heat are its home's, water a guest's. */
export function ownedPlan(plan: DevicePlan, { device, home, guests }: DeviceIdentity): DevicePlan {
  const [guest = home] = guests;
  return {
    ...plan,
    id: device,
    home,
    guests: guest === home ? [] : [guest],
    meters: plan.meters.map((meter) => ({ ...meter, owner: meter.medium === 'water' ? guest : home })),
  };
}
