import { join } from 'node:path';
import type { MissedDays } from '../../gateway/edge/days/day.ts';
import { EdgeDevice, type EdgeDeviceOptions } from '../../gateway/edge/device.ts';
import type { IdentityPort } from '../../gateway/edge/device-options.ts';
import { type Clock, systemClock } from '../../gateway/runtime/clock.ts';
import type { Counters } from '../../gateway/runtime/counters.ts';
import type { Log } from '../../gateway/runtime/log.ts';
import type { Random } from '../../gateway/runtime/random.ts';
import { deviceIdentityFile } from '../../pki/files/layout.ts';
import { readDeviceIdentity, saveDeviceIdentity } from '../../pki/identity.ts';
import { HesError } from '../../protocol/errors.ts';
import type { EmulatorErrorCode } from '../errors.ts';
import type { FleetCommands } from './commands.ts';
import type { EdgeHandle, OpenEdge, Settled } from './edge-handle.ts';
import type { Station } from './station.ts';

export interface EdgesOptions {
  /** Devices lie in `<data>/devices/<id>`: identity and outbox. */
  readonly data: string;
  readonly headEnd: EdgeDeviceOptions['headEnd'];
  /** Real milliseconds over which the devices spread after each close. */
  readonly jitterMs: number;
  readonly retry: { readonly baseMs: number; readonly maxMs: number };
  readonly missedDays: MissedDays;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Counters;
  /** The real clock: certificates and back-off do not live on simulated time. */
  readonly clock?: Clock;
  /** Where devices take commands; without it they send readings only. */
  readonly commands?: FleetCommands;
}

const OUTCOMES = { delivered: 'delivered', duplicate: 'duplicate', refused: 'refused' } as const;

/** Opens the real thing: an EdgeDevice over the device's own folder, sending to the head-end. */
export function openEdges(options: EdgesOptions): OpenEdge {
  const devices = join(options.data, 'devices');
  const { random, log, counters, headEnd, missedDays, clock = systemClock } = options;
  const limits = {
    schedule: {
      jitterMs: options.jitterMs,
      backoffBaseMs: options.retry.baseMs,
      backoffMaxMs: options.retry.maxMs,
    },
  };
  return async (station) => {
    const identity: IdentityPort = {
      device: station.id,
      load: () => loadIdentity(devices, station),
      // Whole whenever this process is killed; a fleet of thousands that hears a notice does not flush each time.
      save: (changed) => {
        saveDeviceIdentity(devices, changed, { durable: false });
        options.commands?.identityChanged(station.id);
      },
    };
    const own: EdgeDeviceOptions = {
      directory: join(devices, station.id),
      identity,
      owners: station.ownerOf,
      headEnd,
      clock,
      random,
      log,
      counters,
      limits,
      missedDays,
      development: true,
    };
    const opening = options.commands?.opening(station, identity) ?? null;
    if (opening === null) return handleOf(EdgeDevice.open(own), clock, async () => undefined);
    const { commands, renewal } = opening;
    try {
      const device = await EdgeDevice.start({ ...own, commands, ...(renewal === null ? {} : { renewal }) });
      opening.opened(device);
      return handleOf(device, clock, opening.released);
    } catch (error) {
      await opening.released();
      throw error;
    }
  };
}

function handleOf(device: EdgeDevice, clock: Clock, released: () => Promise<void>): EdgeHandle {
  return {
    closedThrough: (owner) => device.closedThrough(owner),
    waiting: () => device.waiting(),
    parked: () => device.parkedReadings(),
    observe: (snapshot) => device.observe(snapshot),
    close: async (day) => {
      await device.closeDay(day);
    },
    wake: async (signal) => {
      const { settled, failure } = await device.wake(signal);
      return {
        settled: settled.map(
          ({ owner, day, verdict }): Settled => ({ owner, day, outcome: OUTCOMES[verdict] }),
        ),
        failure: failure?.code ?? null,
      };
    },
    nextWakeInMs: () => {
      const nextMs = device.nextWakeMs();
      return nextMs === null ? null : Math.max(0, nextMs - clock.nowMs());
    },
    release: async () => {
      await released();
      await device.close();
    },
  };
}

/** Read each time that it is needed: ten thousand identities are 60 MiB of text. @throws ERR_FLEET_IDENTITY */
function loadIdentity(devices: string, station: Station) {
  const file = deviceIdentityFile(devices, station.id);
  try {
    return readDeviceIdentity(file);
  } catch (cause) {
    throw new HesError(
      'ERR_FLEET_IDENTITY' satisfies EmulatorErrorCode,
      `${file} is missing or damaged: remove it and enrol the device again, or start with an empty data folder`,
      { cause, context: { device: station.id } },
    );
  }
}
