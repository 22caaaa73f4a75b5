import { HesError } from '../protocol/errors.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import type { Medium } from '../protocol/reading.ts';
import type { Tenant } from '../protocol/tenants.ts';
import { drawAt, stateOf } from './hash.ts';
import { emulatedDeviceId } from './numbers.ts';

/**
 * Which emulated devices there are and whose meters they carry: a function of the seed, the tenants and the number
 * of meters. A "meter" in a count is a (device, owner) stream: one daily index a day, sealed to one owner, however
 * many registers and M-Bus channels are in it.
 */

export interface MeterPlan {
  /** 0 is the device's own meter, 1 to 4 an M-Bus channel. */
  readonly channel: number;
  readonly medium: Medium;
  readonly owner: TenantId;
  /** Unique among all meters of a fleet; serial number and EAN are made from it. */
  readonly ordinal: number;
}

export interface DevicePlan {
  readonly id: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  /** Electricity meters are read through their P1 port; a lone water or heat meter is a virtual source. */
  readonly source: 'p1' | 'virtual';
  readonly meters: readonly MeterPlan[];
}

export interface Fleet {
  readonly seed: number;
  readonly devices: readonly DevicePlan[];
  /** How many streams each tenant has, in the order in which the tenants were given. */
  readonly streams: ReadonlyMap<TenantId, number>;
}

export interface FleetOptions {
  readonly seed: number;
  /** Streams in all: split evenly over the tenants, the remainder one each to the first. */
  readonly meters: number;
  readonly tenants: readonly Tenant[];
  /** One part of the fleet, for processes that share it: devices `index`, `index + of`, `index + 2 of`, … */
  readonly slice?: { readonly index: number; readonly of: number };
}

/** Ten times the largest fleet that one process is built for. */
export const FLEET_METERS_MAX = 100_000;

/** M-Bus has four channels on a P1 meter. */
const CHANNELS_MAX = 4;

/** Positions in a tenant's row of streams, so that even a small fleet has one of each. */
const LONE_HEAT = { every: 16, at: 5 } as const;
const HEAT_CHANNEL = { every: 16, at: 9 } as const;
const SECOND_GAS = { every: 25, at: 7 } as const;
const GUEST = { every: 5, at: [0, 2] as readonly number[] } as const;
const GAS_SHARE = 0.56;
/** In Belgium the water companies of this consortium mostly meet Fluvius' meters. */
const FLEMISH_HOST_BONUS = 0.35;

interface Draft {
  readonly home: TenantId;
  readonly ordinal: number;
  readonly source: 'p1' | 'virtual';
  readonly meters: MeterPlan[];
  /** Where it stands in the queue of hosts for guests; the lowest comes first. */
  readonly hostRank: number;
}

/** @throws ERR_FLEET_SIZE, ERR_FLEET_TENANTS, ERR_FLEET_SLICE */
export function planFleet({ seed, meters, tenants, slice = { index: 0, of: 1 } }: FleetOptions): Fleet {
  if (!Number.isInteger(meters) || meters < 1 || meters > FLEET_METERS_MAX)
    throw new HesError('ERR_FLEET_SIZE', `a fleet has 1 to ${FLEET_METERS_MAX} meters`, {
      context: { meters },
    });
  if (tenants.length === 0 || new Set(tenants.map(({ id }) => id)).size !== tenants.length)
    throw new HesError('ERR_FLEET_TENANTS', 'a fleet needs at least one tenant, each named once');
  if (!Number.isInteger(slice.index) || slice.index < 0 || slice.index >= slice.of)
    throw new HesError('ERR_FLEET_SLICE', 'a slice is one of its parts: 0 <= index < of', { context: slice });

  const rows = tenants.map((tenant, position) => ({
    tenant,
    position,
    share: Math.floor(meters / tenants.length) + (position < meters % tenants.length ? 1 : 0),
  }));
  const drafts: Draft[] = [];
  for (const row of rows)
    if (row.tenant.media.includes('electricity'))
      for (let number = 0; number < row.share; number++)
        drafts.push(electricityTenantDevice(seed, row, number));
  const hosts = drafts.filter(({ source }) => source === 'p1').toSorted((a, b) => a.hostRank - b.hostRank);
  for (const row of rows)
    if (!row.tenant.media.includes('electricity'))
      for (let number = 0; number < row.share; number++) {
        const medium = row.tenant.media[number % row.tenant.media.length]!;
        const host = GUEST.at.includes(number % GUEST.every) ? hosts.shift() : undefined;
        if (host === undefined) drafts.push(loneMeter(row, number, medium));
        else addChannel(host, medium, row.tenant.id);
      }

  const devices = drafts
    .filter((_, index) => index % slice.of === slice.index)
    .map((draft) => seal(seed, draft));
  return { seed, devices, streams: countStreams(tenants, devices) };
}

interface Row {
  readonly tenant: Tenant;
  readonly position: number;
}

function electricityTenantDevice(seed: number, { tenant, position }: Row, number: number): Draft {
  const sells = (medium: Medium): boolean => tenant.media.includes(medium);
  if (sells('heat') && number % LONE_HEAT.every === LONE_HEAT.at)
    return loneMeter({ tenant, position }, number, 'heat');
  const state = stateOf(seed, 0xf1ee7, position, number);
  const bonus = tenant.id === 'fluvius' ? FLEMISH_HOST_BONUS : 0;
  const draft: Draft = {
    home: tenant.id,
    ordinal: ordinalOf(position, number),
    source: 'p1',
    meters: [{ channel: 0, medium: 'electricity', owner: tenant.id, ordinal: ordinalOf(position, number) }],
    hostRank: drawAt(state, 1) - bonus,
  };
  if (sells('heat') && number % HEAT_CHANNEL.every === HEAT_CHANNEL.at) addChannel(draft, 'heat', tenant.id);
  else if (sells('gas') && (number % SECOND_GAS.every === SECOND_GAS.at || drawAt(state, 2) < GAS_SHARE)) {
    addChannel(draft, 'gas', tenant.id);
    if (number % SECOND_GAS.every === SECOND_GAS.at) addChannel(draft, 'gas', tenant.id);
  }
  return draft;
}

function loneMeter({ tenant, position }: Row, number: number, medium: Medium): Draft {
  const ordinal = ordinalOf(position, number);
  return {
    home: tenant.id,
    ordinal,
    source: 'virtual',
    meters: [{ channel: 0, medium, owner: tenant.id, ordinal }],
    hostRank: Number.POSITIVE_INFINITY,
  };
}

/** At most two channels of its own and one guest: the four of M-Bus are never exhausted. */
function addChannel(draft: Draft, medium: Medium, owner: TenantId): void {
  const channel = draft.meters.length;
  draft.meters.push({ channel, medium, owner, ordinal: draft.ordinal + channel });
}

/** Five meters to a device, and room for every device of the largest fleet within one tenant. */
function ordinalOf(tenantPosition: number, number: number): number {
  return (tenantPosition * FLEET_METERS_MAX + number) * (CHANNELS_MAX + 1);
}

/** The pseudonym takes in the guests: a device that carries another owner's meter has another certificate too. */
function seal(seed: number, { home, ordinal, source, meters }: Draft): DevicePlan {
  const guests = [...new Set(meters.map(({ owner }) => owner))].filter((owner) => owner !== home);
  return { id: emulatedDeviceId(seed, home, ordinal, source, ...guests), home, guests, source, meters };
}

function countStreams(tenants: readonly Tenant[], devices: readonly DevicePlan[]): Map<TenantId, number> {
  const streams = new Map(tenants.map(({ id }) => [id, 0]));
  for (const { home, guests } of devices)
    for (const owner of [home, ...guests]) streams.set(owner, streams.get(owner)! + 1);
  return streams;
}
