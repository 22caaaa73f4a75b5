import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { BusRequest, TenantBus } from '../../gateway/bus/port.ts';
import type { Meter } from '../../gateway/front/testing/meter.ts';
import { subscribe } from '../../gateway/front/testing/wire.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { decodeDownlinkAnswer, encodeDeskAnswer, encodeDownlink } from '../../protocol/downlink.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { downTopic } from '../../protocol/topics.ts';
import { PAIRS, TENANTS } from '../support/field.ts';
import { dial, heardOn } from '../support/line.ts';
import { World } from './misroute-world.ts';

/**
 * The way down: every operator's desk, at its own bus, against the devices of every other. A desk reaches the devices
 * that name it and listen to it, and hears of no others.
 */

const SUBACK = 0x90;
const GRANTED = 1;
const REFUSED = 0x80;
const SEALED = Buffer.from('what a desk sealed to a device');

let world: World;
const desks = new Map<TenantId, { readonly bus: TenantBus; readonly heard: BusRequest[] }>();

beforeAll(async () => {
  world = await World.create({ served: [] });
  for (const tenant of TENANTS) {
    const bus = connectLocalBus({ directory: world.headEnd.busDirectory, tenant, log: silentLog });
    const heard: BusRequest[] = [];
    await bus.serve('desk.awake', async (request) => {
      heard.push(request);
      return encodeDeskAnswer({ kind: 'taken' });
    });
    desks.set(tenant, { bus, heard });
  }
});
afterAll(async () => {
  for (const { bus } of desks.values()) await bus.close();
  await world?.close();
});

/** A connection that has asked for the commands of these tenants, and what it was told about each. */
async function listening(
  identity: DeviceIdentity,
  tenants: readonly TenantId[],
): Promise<{ readonly meter: Meter; readonly granted: readonly number[] }> {
  const meter = await dial(identity, world.port);
  for (const [index, tenant] of tenants.entries()) {
    meter.send(subscribe(downTopic(tenant, identity.device, 'command'), 1, index + 1));
    await meter.until(() => meter.of(SUBACK).length > index);
  }
  return { meter, granted: meter.of(SUBACK).map((body) => body.at(-1)!) };
}

async function send(desk: TenantId, home: TenantId, { device }: DeviceIdentity): Promise<string> {
  const body = encodeDownlink({ home, sealed: SEALED });
  const request = { subject: 'down.command', device, body } as const;
  return decodeDownlinkAnswer(await desks.get(desk)!.bus.request(request, { deadlineMs: 30_000 })).kind;
}

const heardOf = (desk: TenantId, { device }: DeviceIdentity): number =>
  desks.get(desk)!.heard.filter((request) => request.device === device).length;

describe('a desk', () => {
  it.each(PAIRS)('of %s reaches no device of %s, whatever home it names', async (desk, home) => {
    const identity = world.plain(home);
    const { meter, granted } = await listening(identity, [home, desk]);
    expect(granted).toEqual([GRANTED, REFUSED]);
    for (const named of TENANTS) expect(await send(desk, named, identity), named).toBe('absent');
    expect(await send(home, home, identity)).toBe('written');
    await meter.until(() => heardOn(meter).receipts.length > 0);
    expect(heardOn(meter).receipts).toEqual([
      { topic: downTopic(home, identity.device, 'command'), payload: SEALED },
    ]);
    expect(heardOf(desk, identity)).toBe(0);
    expect(heardOf(home, identity)).toBeGreaterThan(0);
    await meter.leave();
  });

  it.each(PAIRS)(
    'of the home %s and one of the guest %s reach their device, each on its own topic, and no third does',
    async (home, guest) => {
      const identity = world.carrier(home, guest);
      const { meter, granted } = await listening(identity, [home, guest]);
      expect(granted).toEqual([GRANTED, GRANTED]);
      for (const third of TENANTS.filter((tenant) => tenant !== home && tenant !== guest))
        for (const named of [home, guest, third]) expect(await send(third, named, identity)).toBe('absent');
      // It is the home that has the session: the guest's name for it finds nobody.
      expect(await send(guest, guest, identity)).toBe('absent');
      expect(await send(home, guest, identity)).toBe('absent');
      expect(await send(home, home, identity)).toBe('written');
      expect(await send(guest, home, identity)).toBe('written');
      await meter.until(() => heardOn(meter).receipts.length > 1);
      expect(heardOn(meter).receipts.map(({ topic }) => topic)).toEqual([
        downTopic(home, identity.device, 'command'),
        downTopic(guest, identity.device, 'command'),
      ]);
      for (const tenant of TENANTS)
        expect(heardOf(tenant, identity), tenant).toBe(tenant === home || tenant === guest ? 1 : 0);
      await meter.leave();
    },
  );

  it.each(PAIRS)(
    'of the guest %s does not reach a device of %s that listens to its home alone',
    async (guest, home) => {
      const identity = world.carrier(home, guest);
      const { meter } = await listening(identity, [home]);
      expect(await send(guest, home, identity)).toBe('absent');
      await meter.leave();
    },
  );
});
