import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { decodeAwake, encodeDeskAnswer } from '../../protocol/downlink.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';
import { type Answerer, fail, giveReceipt, standStill } from './testing/fake-bus.ts';
import { counted, type Door, FARYS, Field, FLUVIUS, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { PINGREQ, publish, subscribe } from './testing/wire.ts';

const SUBACK = 0x90;
const PUBACK = 0x40;
const PINGRESP = 0xd0;

/** For what happens at once on a machine that has time. */
const PATIENT = { timeout: 10_000 };

const taken: Answerer = () => encodeDeskAnswer({ kind: 'taken' });

let field: Field;
let door: Door;

beforeAll(async () => {
  field = new Field();
  door = await openDoor(field, {
    limits: { awakeTimeoutMs: 1_500, awakePerTenantMax: 3, subscribesPerClientMax: 4 },
  });
});
afterEach(async () => {
  // What a test left waiting would take a place from the next one.
  for (const tenant of door.buses.keys())
    await expect.poll(() => door.counters.get(`tenant.${tenant}.waking`), PATIENT).toBe(0);
  for (const bus of door.buses.values()) {
    bus.desk = fail('ERR_BUS_NO_RESPONDERS');
    bus.notices.length = 0;
  }
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

const connected = (home: TenantId, guests: TenantId[] = []): Promise<Meter> =>
  Meter.ready(field.device(home, { guests }), door.port);

const listen = (meter: Meter, tenant: TenantId, messageId = 7): Buffer =>
  subscribe(downTopic(tenant, meter.identity.device, 'command'), 1, messageId);

const granted = (meter: Meter): number[] => meter.of(SUBACK).map((body) => body.at(-1)!);

describe('a device that listens for commands is granted it all the same', () => {
  it.each([
    ['no desk is there', 'no-desk', fail('ERR_BUS_NO_RESPONDERS')],
    ['the desk stands still', 'timeout', standStill],
    ['the bus has too much to do', 'overloaded', fail('ERR_BUS_OVERLOADED')],
    ['the desk went away', 'disconnected', fail('ERR_BUS_DISCONNECTED')],
    ['the desk failed', 'handler', fail('ERR_BUS_HANDLER')],
    ['the bus failed in a way of its own', 'failed', fail('ERR_SOMETHING')],
    ['the answer is nonsense', 'answer', () => Buffer.from('nonsense')],
    ['the answer is empty', 'answer', () => Buffer.alloc(0)],
  ] as const)('when %s', async (_when, reason, desk) => {
    const before = door.counters.get(`unheard.${reason}`);
    door.bus(ORES).desk = desk;
    const meter = await connected(ORES);
    meter.send(listen(meter, ORES));
    await meter.until(() => meter.of(SUBACK).length > 0);
    expect(granted(meter)).toEqual([1]);
    expect(door.counters.get(`unheard.${reason}`)).toBe(before + 1);
    expect(door.counters.get('tenant.ores.waking')).toBe(0);
    await meter.leave();
  });

  it.each(['later', 'taken'] as const)('when the desk says %s', async (kind) => {
    door.bus(ORES).desk = () => encodeDeskAnswer({ kind });
    const before = door.counters.get('heard');
    const meter = await connected(ORES);
    meter.send(listen(meter, ORES));
    await meter.until(() => meter.of(SUBACK).length > 0);
    expect(granted(meter)).toEqual([1]);
    expect(door.counters.get('heard')).toBe(before + 1);
    await meter.leave();
  });

  it('beyond the bound of its tenant, at once; a device of another tenant is heard meanwhile', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    door.bus(ORES).desk = () => answer.promise;
    door.bus(FLUVIUS).desk = taken;
    const meters = await Promise.all(Array.from({ length: 4 }, () => connected(ORES)));
    for (const meter of meters.slice(0, 3)) meter.send(listen(meter, ORES));
    expect(await counted(door.counters, 'tenant.ores.waking', 3)).toBe(3);
    const before = door.counters.get('unheard.bound');
    meters[3]!.send(listen(meters[3]!, ORES));
    await meters[3]!.until(() => meters[3]!.of(SUBACK).length > 0);
    expect(door.counters.get('unheard.bound')).toBe(before + 1);
    const other = await connected(FLUVIUS);
    const heard = door.counters.get('tenant.fluvius.heard');
    other.send(listen(other, FLUVIUS));
    await other.until(() => other.of(SUBACK).length > 0);
    expect(door.counters.get('tenant.fluvius.heard')).toBe(heard + 1);
    answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
    for (const meter of [...meters, other]) await meter.leave();
  });
});

describe('a desk that stands still', () => {
  it('costs the readings of its devices nothing: they are taken while the SUBACK is held', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    const slow = await openDoor(field);
    slow.bus(FLUVIUS).desk = () => answer.promise;
    slow.bus(FARYS).desk = () => answer.promise;
    const meter = await Meter.ready(field.device(FLUVIUS, { guests: [FARYS] }), slow.port);
    const topic = upTopic(FLUVIUS, meter.identity.device, 'index');
    // All in one piece: the library would take nothing more before each has its end.
    meter.send(listen(meter, FLUVIUS, 1), listen(meter, FARYS, 2), publish({ topic, messageId: 3 }));
    await meter.until(() => meter.of(PUBACK).length === 1);
    // And in pieces of their own, after it.
    for (const messageId of [4, 5, 6]) {
      meter.send(publish({ topic, messageId }), PINGREQ);
      await meter.until(() => meter.of(PUBACK).length === messageId - 2);
    }
    await meter.until(() => meter.of(PINGRESP).length === 3);
    expect(meter.of(SUBACK)).toEqual([]);
    answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
    await meter.until(() => meter.of(SUBACK).length === 2);
    meter.send(publish({ topic, messageId: 7 }));
    await meter.until(() => meter.of(PUBACK).length === 5);
    await meter.leave();
    await slow.stop();
  });

  it('costs the readings of a device nothing whose results and events wait for it', async () => {
    const slow = await openDoor(field, { limits: { stopTimeoutMs: 0 } });
    slow.bus(ORES).answer = (request) =>
      request.subject === 'up.index' ? giveReceipt(request) : standStill(request);
    const meter = await Meter.ready(field.device(ORES), slow.port);
    const { device } = meter.identity;
    const kinds = ['result', 'result', 'event'] as const;
    meter.send(
      ...kinds.map((kind, at) => publish({ topic: upTopic(ORES, device, kind), messageId: at + 1 })),
    );
    for (const messageId of [4, 5, 6]) {
      meter.send(publish({ topic: upTopic(ORES, device, 'index'), messageId }));
      await meter.until(() => meter.of(PUBACK).length === messageId - 3);
    }
    meter.socket.destroy();
    await slow.stop();
  });

  it('is not asked again for a device that asks again, and answers both', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    door.bus(ORES).desk = () => answer.promise;
    const meter = await connected(ORES);
    meter.send(listen(meter, ORES, 1), listen(meter, ORES, 2));
    expect(await counted(door.counters, 'tenant.ores.waking')).toBe(1);
    answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
    await meter.until(() => meter.of(SUBACK).length === 2);
    expect(door.bus(ORES).notices).toHaveLength(1);
    await meter.leave();
  });

  it('is not filled up by a device that subscribes without end: its connection closes', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    door.bus(ORES).desk = () => answer.promise;
    const before = door.counters.get('refused.flood');
    const meter = await connected(ORES);
    meter.send(...[1, 2, 3, 4, 5].map((messageId) => listen(meter, ORES, messageId)));
    await meter.untilClosed();
    expect(await counted(door.counters, 'refused.flood', before + 1)).toBe(before + 1);
    expect(door.bus(ORES).notices).toHaveLength(1);
    answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
  });

  it('answers in vain for a device that has gone', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    door.bus(ORES).desk = () => answer.promise;
    const meter = await connected(ORES);
    meter.send(listen(meter, ORES));
    await counted(door.counters, 'tenant.ores.waking');
    meter.socket.destroy();
    await meter.untilClosed();
    answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
    await expect.poll(() => door.counters.get('tenant.ores.waking'), PATIENT).toBe(0);
  });
});

describe('a desk that is awake', () => {
  it('hears which device listens, and whose it is; a guest’s desk hears of its own', async () => {
    for (const tenant of [FLUVIUS, FARYS]) door.bus(tenant).desk = taken;
    const meter = await connected(FLUVIUS, [FARYS]);
    const { device } = meter.identity;
    for (const [index, tenant] of [FLUVIUS, FARYS].entries()) {
      meter.send(listen(meter, tenant, index + 1));
      await meter.until(() => meter.of(SUBACK).length > index);
      const [notice] = door.bus(tenant).notices;
      expect(notice).toMatchObject({ subject: 'desk.awake', device });
      expect(decodeAwake(notice!.body)).toEqual({ home: FLUVIUS });
    }
    expect(door.bus(ORES).notices).toEqual([]);
    await meter.leave();
  });

  it('is waited for: the SUBACK comes when it has answered', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    const patient = await openDoor(field);
    patient.bus(ORES).desk = () => answer.promise;
    const meter = await Meter.ready(field.device(ORES), patient.port);
    meter.send(listen(meter, ORES), PINGREQ);
    await meter.until(() => meter.of(PINGRESP).length > 0);
    expect(meter.of(SUBACK)).toEqual([]);
    answer.resolve(encodeDeskAnswer({ kind: 'taken' }));
    await meter.until(() => meter.of(SUBACK).length > 0);
    await meter.leave();
    await patient.stop();
  });

  it('hears nothing of a device that only wants its receipts', async () => {
    door.bus(ORES).desk = taken;
    const meter = await connected(ORES);
    meter.send(subscribe(downTopic(ORES, meter.identity.device, 'receipt'), 1));
    await meter.until(() => meter.of(SUBACK).length > 0);
    expect(door.bus(ORES).notices).toEqual([]);
    await meter.leave();
  });
});
