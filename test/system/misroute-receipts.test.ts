import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BusRequest, TenantBus } from '../../gateway/bus/port.ts';
import { dayAt, dayOfOrdinal, offsetMinutesAt } from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import { meter, register, snapshot } from '../../gateway/edge/testing/meters.ts';
import { type DeviceIdentity, loadSealingKey } from '../../pki/trust.ts';
import { openUplink } from '../../protocol/envelope.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { ObisCode } from '../../protocol/reading.ts';
import { makeReceipt, type Receipt } from '../../protocol/receipt.ts';
import { decodeUplinkAnswer, encodeUplinkAnswer } from '../../protocol/uplink.ts';
import { PAIRS, TENANTS } from '../support/field.ts';
import type { SealedMessage } from '../support/sealing.ts';
import { World } from './misroute-world.ts';

/**
 * Every tenant against every other, continued: receipts. A front that was taken over gives a device the receipts of
 * others, which are authentic, or what an operator's own key made for something else. The device must keep its
 * reading, and deliver it to the same operator as soon as the front is honest again.
 */
type Forge = (request: BusRequest) => Promise<Uint8Array>;

let world: World;
/** What the front answers instead of a tenant's router, while a case wants it. */
const forged = new Map<TenantId, Forge>();

beforeAll(async () => {
  world = await World.create({ tamper: (bus) => tampered(bus) });
});
afterAll(() => world.close());

function tampered(bus: TenantBus): TenantBus {
  return {
    tenant: bus.tenant,
    request: async (request, options) => {
      const forge = forged.get(bus.tenant);
      if (forge === undefined) return bus.request(request, options);
      return encodeUplinkAnswer({ kind: 'receipt', receipt: await forge(request) });
    },
    serve: (subject, handler) => bus.serve(subject, handler),
    close: () => bus.close(),
  };
}

/** A reading that was delivered, and the authentic receipt of it. */
async function authenticReceipt(owner: TenantId, message: SealedMessage): Promise<Uint8Array> {
  const { device } = message.binding;
  const answer = decodeUplinkAnswer(
    await world.headEnd
      .bus(owner)
      .request({ subject: 'up.index', device, body: message.sealed }, { deadlineMs: 5_000 }),
  );
  if (answer.kind !== 'receipt') throw new Error(`no receipt: ${answer.reason}`);
  world.allow(owner, message);
  return answer.receipt;
}

/** A receipt that the owner's key itself made for the very reading that was sent, but about something else. */
function ownersReceipt(
  owner: TenantId,
  about: Partial<Pick<Receipt, 'tenant' | 'device' | 'sequence'>>,
): Forge {
  const { layout, owners } = world.field.pki;
  const files = layout.sealing(owner, owners.get(owner)!.kid);
  const key = loadSealingKey(files, { tenant: owner, development: true });
  return async ({ device, body }) => {
    const binding = { tenant: owner, device, kind: 'index' } as const;
    const { receiptKey } = openUplink({ sealed: body, binding, keys: [key] });
    const time = Math.floor(Date.now() / 1_000);
    return makeReceipt(receiptKey, {
      verdict: 'delivered',
      tenant: owner,
      device,
      sequence: sequenceOf(device),
      time,
      ...about,
    });
  };
}

const sequences = new Map<string, number>();
const sequenceOf = (device: string): number => sequences.get(device)!;

/** A real edge that has closed one day for its home, with the reading in its outbox. */
async function edgeWithReading(identity: DeviceIdentity): Promise<EdgeDevice> {
  const { device, home } = identity;
  const edge = EdgeDevice.open({
    directory: join(world.field.directory, 'edges', device),
    identity,
    owners: () => home,
    headEnd: { host: '127.0.0.1', port: world.port, servername: 'localhost' },
    development: true,
    // Its backoff is drawn evenly from nothing to a bound: here it is nothing.
    random: () => 0,
    limits: { uplink: { receiptGraceMs: GRACE_MS } },
  });
  const today = dayAt(Date.now() / 1_000);
  const day = dayOfOrdinal(today.ordinal - 2);
  for (const second of [day.start, day.end])
    edge.observe(
      snapshot(second, [meter([register('1-0:1.8.1' as ObisCode, second - day.start)])], {
        epochSeconds: second,
        offsetMinutes: offsetMinutesAt(second),
      }),
    );
  expect(await edge.closeDay(day)).toBe(1);
  // The outbox numbers an owner's readings by their day.
  sequences.set(device, day.ordinal);
  return edge;
}

/** The forged receipt comes before the PUBACK; nothing is worth waiting for after it. */
const GRACE_MS = 20;

/** The device ignores the forged receipt and keeps its reading; then its owner gets it after all. */
async function expectIgnored(identity: DeviceIdentity, forge: Forge): Promise<void> {
  const owner = identity.home;
  const edge = await edgeWithReading(identity);
  try {
    const [waiting] = edge.waiting();
    forged.set(owner, forge);
    const deceived = await edge.wake();
    expect(deceived).toMatchObject({
      delivered: 0,
      duplicates: 0,
      refused: 0,
      failed: 1,
      receiptsIgnored: 1,
    });
    expect(deceived.failure?.code).toBe('ERR_UPLINK_RECEIPT');
    expect(edge.waiting()).toEqual([waiting]);
    expect(edge.parked()).toBe(0);
    forged.delete(owner);
    expect(await edge.wake()).toMatchObject({ delivered: 1, failed: 0, receiptsIgnored: 0 });
    expect(edge.pending()).toBe(0);
    const sequence = sequenceOf(identity.device);
    world.allow(owner, { key: `${identity.device}/${owner}/${sequence}` } as SealedMessage);
  } finally {
    forged.delete(owner);
    await edge.close();
  }
}

describe('an authentic receipt of something else', () => {
  it.each(PAIRS)("makes a device of %s forget nothing: of its own guest's owner %s", async (home, guest) => {
    const identity = world.field.device(home, [guest]);
    const receipt = await authenticReceipt(guest, world.seal(identity, guest));
    await expectIgnored(identity, async () => receipt);
  });

  it.each(PAIRS)('makes a device of %s forget nothing: of a device of %s', async (home, other) => {
    const receipt = await authenticReceipt(other, world.seal(world.plain(other), other));
    await expectIgnored(world.field.device(home), async () => receipt);
  });

  it.each(TENANTS)('makes a device of %s forget nothing: of another device of it', async (home) => {
    const receipt = await authenticReceipt(home, world.seal(world.other(home), home));
    await expectIgnored(world.field.device(home), async () => receipt);
  });

  it.each(TENANTS)('makes a device of %s forget nothing: of another sequence of its own', async (home) => {
    const identity = world.field.device(home);
    const receipt = await authenticReceipt(home, world.seal(identity, home));
    await expectIgnored(identity, async () => receipt);
  });
});

describe("a receipt by the owner's own key for the very reading", () => {
  it.each(PAIRS)('is ignored by a device of %s where it names %s', (home, other) =>
    expectIgnored(world.field.device(home), ownersReceipt(home, { tenant: other })),
  );

  it.each(PAIRS)('is ignored by a device of %s where it names a device of %s', (home, other) =>
    expectIgnored(world.field.device(home), ownersReceipt(home, { device: world.plain(other).device })),
  );

  it.each(TENANTS)('is ignored by a device of %s where it names another sequence', (home) =>
    expectIgnored(world.field.device(home), ownersReceipt(home, { sequence: 1 })),
  );

  it.each(TENANTS)('is taken by a device of %s where it names the reading itself', async (home) => {
    const edge = await edgeWithReading(world.field.device(home));
    try {
      forged.set(home, ownersReceipt(home, {}));
      expect(await edge.wake()).toMatchObject({ delivered: 1, failed: 0, receiptsIgnored: 0 });
    } finally {
      forged.delete(home);
      await edge.close();
    }
  });
});

describe('a router of another tenant in the place of its own', () => {
  it.each(PAIRS)('makes a device of %s forget nothing: %s answers as well as it can', async (home, other) => {
    const identity = world.field.device(home);
    const edge = await edgeWithReading(identity);
    try {
      // It claims the bus of the device's owner and knows its own key only: there it cannot even make a receipt.
      forged.set(home, async ({ device, body }) => {
        const answer = decodeUplinkAnswer(
          await world.headEnd
            .bus(other)
            .request({ subject: 'up.index', device, body }, { deadlineMs: 5_000 }),
        );
        expect(answer).toEqual({ kind: 'refused', reason: 'envelope' });
        const key = Buffer.alloc(32, 7);
        const time = Math.floor(Date.now() / 1_000);
        return makeReceipt(key, {
          verdict: 'delivered',
          tenant: home,
          device,
          sequence: sequenceOf(device),
          time,
        });
      });
      expect(await edge.wake()).toMatchObject({ delivered: 0, failed: 1, receiptsIgnored: 1 });
      expect(edge.pending()).toBe(1);
    } finally {
      forged.delete(home);
      await edge.close();
    }
  });
});

describe('after all of this', () => {
  it('each MDM holds exactly the records that were honest', () => {
    for (const tenant of TENANTS) expect(world.allowed(tenant)).toBeGreaterThan(20);
    world.expectNothingCrossed();
  });
});
