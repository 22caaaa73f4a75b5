import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { upTopic } from '../../protocol/topics.ts';
import { encodeUplinkAnswer } from '../../protocol/uplink.ts';
import { fail, giveReceipt, RECEIPT, standStill } from './testing/fake-bus.ts';
import { counted, type Door, FARYS, Field, FLUVIUS, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { bytes, packets, publish, text } from './testing/wire.ts';

let field: Field;
let door: Door;

beforeAll(async () => {
  field = new Field();
  door = await openDoor(field, { limits: { answerTimeoutMs: 300, heldPerClientMax: 2 } });
});
afterEach(() => {
  for (const bus of door.buses.values()) {
    bus.answer = giveReceipt;
    bus.requests.length = 0;
  }
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

const PUBACK = 0x40;
const RECEIPT_FRAME = 0x30;

describe('a message without an answer', () => {
  it.each([
    ['no router is there', 'no-responders', fail('ERR_BUS_NO_RESPONDERS')],
    ['the router does not answer in time', 'timeout', standStill],
    ['the bus has too much to do', 'overloaded', fail('ERR_BUS_OVERLOADED')],
    ['the router went away', 'disconnected', fail('ERR_BUS_DISCONNECTED')],
    ['the router failed', 'handler', fail('ERR_BUS_HANDLER')],
    ['the bus is closed', 'closed', fail('ERR_BUS_CLOSED')],
    ['the bus failed in a way of its own', 'failed', fail('ERR_SOMETHING')],
    ['the answer is nonsense', 'answer', () => Buffer.from('nonsense')],
    ['the answer is empty', 'answer', () => Buffer.alloc(0)],
    [
      'the router could not open it',
      'router-envelope',
      () => encodeUplinkAnswer({ kind: 'refused', reason: 'envelope' }),
    ],
    [
      'the router had no room',
      'router-overloaded',
      () => encodeUplinkAnswer({ kind: 'refused', reason: 'overloaded' }),
    ],
  ] as const)('gets no PUBACK and the connection closes when %s', async (_when, reason, answer) => {
    const before = door.counters.get(`unanswered.${reason}`);
    door.bus(ORES).answer = answer;
    const device = field.device(ORES);
    const meter = await Meter.ready(device, door.port);
    meter.send(publish({ topic: upTopic(ORES, device.device, 'index') }));
    await meter.untilClosed();
    expect(meter.of(PUBACK)).toEqual([]);
    expect(meter.of(RECEIPT_FRAME)).toEqual([]);
    expect(await counted(door.counters, `unanswered.${reason}`, before + 1)).toBe(before + 1);
    expect(door.counters.get('held')).toBe(0);
  });
});

describe('a message with an answer', () => {
  it('is held until the answer is there', async () => {
    const answer = Promise.withResolvers<Uint8Array>();
    door.bus(ORES).answer = () => answer.promise;
    const device = field.device(ORES);
    const meter = await Meter.ready(device, door.port);
    meter.send(publish({ topic: upTopic(ORES, device.device, 'index'), payload: Buffer.from('abc') }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(meter.of(PUBACK)).toEqual([]);
    expect(door.counters.get('held')).toBe(1);
    answer.resolve(await giveReceipt(door.bus(ORES).requests[0]!));
    await meter.until(() => meter.of(PUBACK).length > 0);
    expect(meter.closed).toBe(false);
    expect(door.counters.get('held')).toBe(0);
    await meter.leave();
  });

  it('brings the receipt before the PUBACK, without any subscription', async () => {
    const device = field.device(ORES);
    const meter = await Meter.ready(device, door.port);
    meter.send(publish({ topic: upTopic(ORES, device.device, 'index'), messageId: 0x1234 }));
    await meter.until(() => meter.of(PUBACK).length > 0);
    const [connack, receipt, puback] = packets(meter.received);
    expect(connack).toEqual({ first: 0x20, body: Buffer.from([0, 0]) });
    expect(receipt?.first).toBe(RECEIPT_FRAME);
    expect(receipt?.body).toEqual(bytes(text(`t/ores/${device.device}/down/receipt`), RECEIPT));
    expect(puback).toEqual({ first: PUBACK, body: Buffer.from([0x12, 0x34]) });
    await meter.leave();
  });

  it.each(['index', 'event', 'result'] as const)(
    'goes to the bus as it came, under its subject: %s',
    async (kind) => {
      const device = field.device(ORES);
      const meter = await Meter.ready(device, door.port);
      const payload = Buffer.alloc(3_000, kind);
      meter.send(publish({ topic: upTopic(ORES, device.device, kind), payload }));
      await meter.until(() => meter.of(PUBACK).length > 0);
      expect(door.bus(ORES).requests).toEqual([
        { subject: `up.${kind}`, device: device.device, body: payload },
      ]);
      await meter.leave();
    },
  );

  it('of a guest goes to its owner, and to nobody else', async () => {
    const device = field.device(FLUVIUS, { guests: [FARYS] });
    const meter = await Meter.ready(device, door.port);
    meter.send(publish({ topic: upTopic(FARYS, device.device, 'index') }));
    await meter.until(() => meter.of(PUBACK).length > 0);
    expect(door.bus(FARYS).requests).toHaveLength(1);
    expect(door.bus(FLUVIUS).requests).toHaveLength(0);
    expect(door.bus(ORES).requests).toHaveLength(0);
    await meter.leave();
  });
});

describe('several messages at once', () => {
  it('are capped per client: the one too many closes the connection, after the others had their answers', async () => {
    const answers = Array.from({ length: 2 }, () => Promise.withResolvers<Uint8Array>());
    let asked = 0;
    door.bus(ORES).answer = () => answers[asked++]!.promise;
    const device = field.device(ORES);
    const meter = await Meter.ready(device, door.port);
    const topic = upTopic(ORES, device.device, 'index');
    meter.send(...[1, 2, 3].map((messageId) => publish({ topic, messageId })));
    expect(await counted(door.counters, 'unanswered.held-client')).toBe(1);
    expect(meter.closed).toBe(false);
    for (const { resolve } of answers) resolve(await giveReceipt(door.bus(ORES).requests[0]!));
    await meter.untilClosed();
    expect(meter.of(PUBACK).map((body) => body.readUInt16BE())).toEqual([1, 2]);
  });

  it("do not cost the home tenant's reading its receipt when a guest's owner is down", async () => {
    door.bus(FARYS).answer = fail('ERR_BUS_NO_RESPONDERS');
    const slow = Promise.withResolvers<Uint8Array>();
    door.bus(FLUVIUS).answer = () => slow.promise;
    const device = field.device(FLUVIUS, { guests: [FARYS] });
    const meter = await Meter.ready(device, door.port);
    meter.send(
      publish({ topic: upTopic(FARYS, device.device, 'index'), messageId: 1 }),
      publish({ topic: upTopic(FLUVIUS, device.device, 'index'), messageId: 2 }),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    slow.resolve(await giveReceipt(door.bus(FLUVIUS).requests[0]!));
    await meter.untilClosed();
    expect(meter.of(PUBACK).map((body) => body.readUInt16BE())).toEqual([2]);
    expect(meter.of(RECEIPT_FRAME)).toHaveLength(1);
  });

  it('in separate packets of the network are not held up by one that stands still', async () => {
    const device = field.device(FLUVIUS, { guests: [FARYS] });
    door.bus(FARYS).answer = standStill;
    const meter = await Meter.ready(device, door.port);
    meter.send(publish({ topic: upTopic(FARYS, device.device, 'index'), messageId: 1 }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    meter.send(publish({ topic: upTopic(FLUVIUS, device.device, 'index'), messageId: 2 }));
    await meter.until(() => meter.of(PUBACK).length > 0);
    expect(meter.of(PUBACK).map((body) => body.readUInt16BE())).toEqual([2]);
    await meter.untilClosed();
  });
});
