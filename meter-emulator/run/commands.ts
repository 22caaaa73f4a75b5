import { join } from 'node:path';
import { dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { EdgeCommands, EdgeDevice } from '../../gateway/edge/device.ts';
import type { IdentityPort } from '../../gateway/edge/device-options.ts';
import type { Notice } from '../../gateway/edge/operations/step.ts';
import type { Renewal } from '../../gateway/edge/renewal/renewal.ts';
import { type Clock, systemClock } from '../../gateway/runtime/clock.ts';
import type { Log } from '../../gateway/runtime/log.ts';
import { deviceIdentityFile } from '../../pki/files/layout.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { CommandedMeter } from '../operations/commanded-meter.ts';
import { installationOf } from '../operations/installation.ts';
import { EmulatedStation } from './emulated-station.ts';
import type { FleetRenewals } from './renewals.ts';
import type { Station } from './station.ts';

export interface FleetCommandsOptions {
  /** Devices lie in `<data>/devices/<id>`. */
  readonly data: string;
  readonly stations: readonly Station[];
  /** The time that registers live in. */
  readonly meteringClock: Clock;
  /** A second of metering time by the real clock, by which people sign. */
  readonly realSeconds: (meteringSeconds: number) => number;
  /** Devices that stay connected; the others hear of commands when they wake. */
  readonly stayMax: number;
  readonly log: Log;
  readonly clock?: Clock;
  readonly leakTestMs?: number;
  /** Where devices renew their keys; without it they refuse to. */
  readonly renewals?: FleetRenewals;
}

/** Whom the commands of a fleet tell that a device has something to do. */
export interface CommandsListener {
  /** Its next wake may be due sooner than was thought. */
  hurry(station: Station): void;
  /** It speaks again: an index of each of these waits, which nobody was owed while it was silent. */
  speaksAgain(owners: readonly TenantId[]): void;
}

/** A second is what the rules of a meter are made in. */
const TICK_MS = 1_000;
/** What somebody did at a meter is on its way within some seconds, or fails and is tried again by the schedule. */
const ATTENTIVE_TICKS = 10;

/** A device of the fleet that is open at this moment, with the hardware around its edge. */
export interface LiveMeter {
  readonly station: EmulatedStation;
  readonly meter: CommandedMeter;
  readonly device: EdgeDevice;
  /** Whether it keeps its connection while it has power. */
  readonly stays: boolean;
}

interface Kept extends LiveMeter {
  ticking: boolean;
  attention: number;
}

/** A device that is being opened: what its edge is given, and what happens once it is there, and when it goes. */
export interface Opening {
  readonly commands: EdgeCommands;
  readonly renewal: Renewal | null;
  opened(device: EdgeDevice): void;
  released(): Promise<void>;
}

/**
 * The commanded side of a fleet that lives with the clock: hardware for each device, a tick a second for those that
 * wait for something, and what runs by itself told to whoever wakes devices.
 */
export class FleetCommands {
  readonly #options: FleetCommandsOptions;
  readonly #stations: ReadonlyMap<DeviceId, EmulatedStation>;
  readonly #staying: ReadonlySet<DeviceId>;
  readonly #live = new Map<DeviceId, Kept>();
  #listener: CommandsListener | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FleetCommandsOptions) {
    this.#options = options;
    const emulated = options.stations.filter((station) => station instanceof EmulatedStation);
    this.#stations = new Map(emulated.map((station) => [station.id, station]));
    this.#staying = new Set(emulated.slice(0, options.stayMax).map(({ id }) => id));
  }

  begin(listener: CommandsListener): void {
    this.#listener = listener;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#listener = null;
  }

  stationOf(device: DeviceId): EmulatedStation | undefined {
    return this.#stations.get(device);
  }

  /** A notice or a renewal: whatever follows from it for its keys is looked at now. */
  identityChanged(device: DeviceId): void {
    this.#options.renewals?.attend(device);
  }

  /** Undefined while the device is not open. */
  live(device: DeviceId): LiveMeter | undefined {
    return this.#live.get(device);
  }

  /** In airplane mode, and its operator knows: no index is owed. */
  isSilent({ id }: Station): boolean {
    return this.#live.get(id)?.device.operations?.silent ?? false;
  }

  /** Whether the street of a device has no power: it closes no day and sends nothing. */
  isDark({ id }: Station): boolean {
    return this.#live.get(id)?.meter.power === false;
  }

  /** Something was done at a meter: what comes of it is sent soon. */
  attend({ id }: Station): void {
    const kept = this.#live.get(id);
    if (kept === undefined) return;
    kept.attention = ATTENTIVE_TICKS;
    this.#hurryWhereDue(kept);
  }

  /** Null for a device that takes no commands, such as a recording. */
  opening({ id }: Station, identity: IdentityPort): Opening | null {
    const station = this.#stations.get(id);
    if (station === undefined) return null;
    const { data, clock = systemClock, meteringClock, realSeconds, leakTestMs, renewals } = this.#options;
    const file = deviceIdentityFile(join(data, 'devices'), id);
    const renewal = renewals?.open(identity, { home: station.plan.home, file }) ?? null;
    const meter = new CommandedMeter({
      directory: join(data, 'devices', id),
      installation: installationOf(station.plan),
      clock,
      ...(leakTestMs === undefined ? {} : { leakTestMs }),
      ...(renewal === null ? {} : { renewal }),
    });
    const stays = this.#staying.has(id);
    return {
      commands: {
        installation: meter.installation,
        hardware: meter.hardware,
        stay: stays && meter.power,
        realSeconds,
        snapshot: () => station.snapshotAt(meteringClock.nowMs()),
        onNotice: (notice) => this.#notice(station, notice),
      },
      renewal,
      opened: (device) => {
        const { operations } = device;
        if (operations === null) return;
        meter.attach(operations);
        station.conditions = () => meter.conditions();
        this.#live.set(id, { station, meter, device, stays, ticking: false, attention: 0 });
      },
      released: async () => {
        station.conditions = null;
        meter.stop();
        this.#live.delete(id);
        await renewals?.close(id);
      },
    };
  }

  #notice(station: EmulatedStation, notice: Notice): void {
    // The operations are in the middle of it: what follows takes its turn.
    setImmediate(() => {
      const kept = this.#live.get(station.id);
      if (kept === undefined) return;
      if (notice === 'airplane-ended') void this.#showNow(kept);
      this.attend(station);
    });
  }

  /** Airplane mode has ended: the edge is shown what its meters show now, and gives that to their owners. */
  async #showNow(kept: Kept): Promise<void> {
    const { device, station } = kept;
    const before = ownersOf(device);
    try {
      device.observe(station.showFrom(this.#options.meteringClock.nowMs()));
      // Closes nothing, and has its turn when what came of the snapshot is in the outbox.
      await device.closeDay(LONG_AGO);
    } catch (error) {
      this.#options.log.warn({ err: error, device: station.id }, 'a meter could not give its index');
      return;
    }
    this.#listener?.speaksAgain(without(ownersOf(device), before));
    this.attend(station);
  }

  #tick(): void {
    this.#options.renewals?.tick();
    for (const kept of this.#live.values()) {
      if (!kept.ticking && kept.meter.isLively) void this.#tickOne(kept);
      if (kept.attention > 0) kept.attention--;
      if (kept.stays || kept.attention > 0) this.#hurryWhereDue(kept);
    }
  }

  async #tickOne(kept: Kept): Promise<void> {
    kept.ticking = true;
    try {
      await kept.meter.tick(() => kept.station.loadAt(this.#options.meteringClock.nowMs()));
    } catch (error) {
      this.#options.log.warn(
        { err: error, device: kept.station.id },
        'a meter could not do what its time brings',
      );
    } finally {
      kept.ticking = false;
    }
  }

  #hurryWhereDue({ station, device, meter }: Kept): void {
    if (!meter.power) return;
    const nextMs = device.nextWakeMs();
    if (nextMs !== null && nextMs <= (this.#options.clock ?? systemClock).nowMs())
      this.#listener?.hurry(station);
  }
}

const LONG_AGO = dayNamed('1970-01-02');

/** Whose readings wait: each as often as it has some. */
const ownersOf = (device: EdgeDevice): TenantId[] => device.waiting().map(({ owner }) => owner);

/** What is in one list beyond what is in another, each element as often as it is. */
function without<T>(list: readonly T[], taken: readonly T[]): readonly T[] {
  const left = [...taken];
  return list.filter((element) => {
    const at = left.indexOf(element);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
