import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';
import type { Refusal } from './reasons.ts';
import { counted, type Door, FARYS, Field, FLUVIUS, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { bytes, connect, DISCONNECT, PINGREQ, packet, publish, subscribe, text } from './testing/wire.ts';

let field: Field;
let door: Door;
let device: DeviceIdentity;
let other: DeviceIdentity;

beforeAll(async () => {
  field = new Field();
  door = await openDoor(field, {
    limits: { connectTimeoutMs: 300, keepaliveSecondsMax: 100, packetBytesMax: 4_096 },
  });
  device = field.device(FLUVIUS, { guests: [FARYS] });
  other = field.device(FLUVIUS);
});
afterEach(() => {
  expect(door.counters.get('held')).toBe(0);
  for (const bus of door.buses.values()) expect(bus.requests).toEqual([]);
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

/** The count that must rise by one, and no other refusal beside it. */
async function expectRefused(reason: Refusal, act: () => Promise<void>): Promise<void> {
  const before = refusals();
  await act();
  await counted(door.counters, `refused.${reason}`, (before[`refused.${reason}`] ?? 0) + 1);
  const after = refusals();
  const risen = Object.entries(after).flatMap(([name, value]) => (value === before[name] ? [] : [name]));
  expect(risen).toEqual([`refused.${reason}`]);
}

const refusals = (): Record<string, number> =>
  Object.fromEntries(
    Object.entries(door.counters.snapshot()).filter(([name]) => name.startsWith('refused.')),
  );

describe('CONNECT is refused', () => {
  const will = (flags: number) => ({
    flags: 0x06 | flags,
    rest: bytes(text('t/fluvius/x/up/index'), text('gone')),
  });

  it.each([
    [
      'MQTT 5',
      'version',
      1,
      { level: 5, clientId: '', rest: bytes(0) /* with the length of its properties before it */ },
    ],
    ['MQTT 3.1', 'version', 1, { name: 'MQIsdp', level: 3 }],
    ['a bridge', 'version', 1, { level: 0x84 }],
    ['another device as client id', 'client-id', 2, { clientId: 'other' }],
    ['an empty client id', 'client-id', 2, { clientId: '' }],
    ['the client id in capitals', 'client-id', 2, { clientId: 'upper' }],
    ['a user name', 'credentials', 4, { flags: 0x82, rest: text('ores') }],
    [
      'a user name and a password',
      'credentials',
      4,
      { flags: 0xc2, rest: bytes(text('ores'), text('secret')) },
    ],
    ['a session to be kept', 'session-kept', 5, { flags: 0 }],
    ['a will', 'will', 5, will(0)],
    ['a retained will of QoS 2', 'will', 5, will(0x30)],
    ['no keepalive', 'keepalive', 5, { keepalive: 0 }],
    ['a keepalive above the bound', 'keepalive', 5, { keepalive: 101 }],
  ] as const)('with %s', async (_what, reason, code, fields: Partial<Parameters<typeof connect>[0]>) => {
    await expectRefused(reason, async () => {
      const meter = new Meter(device, door.port);
      await meter.secure();
      const ids: Record<string, string> = { other: other.device, upper: device.device.toUpperCase() };
      const clientId = fields.clientId ?? device.device;
      meter.send(connect({ ...fields, clientId: ids[clientId] ?? clientId }));
      await meter.untilClosed();
      expect(meter.of(0x20)).toEqual([Buffer.from([0, code])]);
    });
  });

  it.each([
    [
      'anything else comes first',
      'connect-first',
      () => [publish({ topic: upTopic(FLUVIUS, device.device, 'index') })],
    ],
    ['it is longer than any of ours', 'oversize', () => [connect({ clientId: 'x'.repeat(2_000) })]],
    ['its length has five bytes', 'oversize', () => [bytes(0x10, 0xff, 0xff, 0xff, 0xff, 0x01)]],
    ['its length does not end', 'malformed', () => [bytes(0x10, 0x80, 0x80, 0x80, 0x80, 0x00)]],
    ['it is no MQTT', 'malformed', () => [connect({ clientId: 'x', name: 'HTTP' })]],
    ['its reserved flag is set', 'malformed', () => [connect({ clientId: device.device, flags: 0x03 })]],
    [
      'its fields run past its end',
      'malformed',
      () => [packet(0x10, bytes(text('MQTT'), 4, 2, 0, 60, 0, 200))],
    ],
    ['it is empty', 'malformed', () => [packet(0x10)]],
    ['it does not come', 'connect-timeout', () => []],
    [
      'it does not come to its end',
      'connect-timeout',
      () => [connect({ clientId: device.device }).subarray(0, 20)],
    ],
    ['the first byte is of a server', 'connect-first', () => [packet(0x20, bytes(0, 0))]],
  ] as const)('when %s', async (_when, reason, sent) => {
    await expectRefused(reason, async () => {
      const meter = new Meter(device, door.port);
      await meter.secure();
      meter.send(...sent());
      await meter.untilClosed();
      expect(meter.received).toHaveLength(0);
    });
  });

  it('when it trickles in byte by byte and does not end in time', async () => {
    await expectRefused('connect-timeout', async () => {
      const meter = new Meter(device, door.port);
      await meter.secure();
      const trickle = connect({ clientId: device.device });
      let at = 0;
      const timer = setInterval(() => meter.send(trickle.subarray(at, ++at)), 25);
      await meter.untilClosed();
      clearInterval(timer);
      expect(at).toBeLessThan(trickle.length);
    });
  });

  it('with too many packets behind it before its CONNACK', async () => {
    await expectRefused('flood', async () => {
      const meter = new Meter(device, door.port);
      await meter.secure();
      meter.send(connect({ clientId: device.device }), ...Array.from({ length: 60 }, () => PINGREQ));
      await meter.untilClosed();
    });
  });
});

describe('after CONNECT the connection is closed', () => {
  const index = () => upTopic(FLUVIUS, device.device, 'index');

  it.each([
    ['a second CONNECT', 'connect-twice', () => connect({ clientId: device.device })],
    [
      "a topic of another device's",
      'device',
      () => publish({ topic: upTopic(FLUVIUS, other.device, 'index') }),
    ],
    [
      'a topic of a foreign tenant',
      'tenant',
      () => publish({ topic: upTopic(ORES, device.device, 'index') }),
    ],
    [
      'a topic of a tenant that is not here',
      'tenant',
      () => publish({ topic: `t/nobody/${device.device}/up/index` }),
    ],
    [
      'a topic that only the head-end sends on',
      'direction',
      () => publish({ topic: downTopic(FLUVIUS, device.device, 'receipt') }),
    ],
    ['a command', 'direction', () => publish({ topic: downTopic(FLUVIUS, device.device, 'command') })],
    ['a topic of no shape of ours', 'topic', () => publish({ topic: 'index' })],
    ['an unknown kind', 'topic', () => publish({ topic: `t/fluvius/${device.device}/up/other` })],
    ['a level too many', 'topic', () => publish({ topic: `${index()}/more` })],
    ['levels without end', 'topic', () => publish({ topic: 'a/'.repeat(200) })],
    ['an empty topic', 'topic', () => publish({ topic: '' })],
    [
      'the device in capitals',
      'topic',
      () => publish({ topic: `t/fluvius/${device.device.toUpperCase()}/up/index` }),
    ],
    ['a topic with a zero byte', 'topic', () => publish({ topic: `${index()}\0` })],
    ['$SYS', 'sys', () => publish({ topic: '$SYS/broker/load' })],
    ['another $ topic', 'sys', () => publish({ topic: '$aws/things' })],
    ['a shared topic', 'share', () => publish({ topic: `$share/g/${index()}` })],
    ['a topic with +', 'wildcard', () => publish({ topic: `t/+/${device.device}/up/index` })],
    ['a topic with #', 'wildcard', () => publish({ topic: 't/#' })],
    ['a retained reading', 'retain', () => publish({ topic: index(), retain: true })],
    ['a reading of QoS 0', 'qos-0', () => publish({ topic: index(), qos: 0 })],
    ['a reading of QoS 2', 'qos-2', () => publish({ topic: index(), qos: 2 })],
    ['the second half of QoS 2', 'qos-2', () => packet(0x62, bytes(0, 1))],
    ['both QoS bits', 'malformed', () => packet(0x36, bytes(text(index()), 0, 1))],
    ['a PUBLISH that is cut short', 'malformed', () => packet(0x32, bytes(0, 200, 't/fluvius'))],
    ['a CONNACK', 'malformed', () => packet(0x20, bytes(0, 0))],
    ['a reserved packet type', 'malformed', () => packet(0xf0)],
    ['a SUBSCRIBE without its flags', 'malformed', () => packet(0x80, bytes(0, 1, text('t/x'), 0))],
    ['a SUBSCRIBE of QoS 3', 'malformed', () => subscribe(downTopic(FLUVIUS, device.device, 'receipt'), 3)],
    ['a packet above the bound', 'oversize', () => publish({ topic: index(), payload: Buffer.alloc(4_096) })],
    ['the mere announcement of a large packet', 'oversize', () => bytes(0x32, 0xff, 0xff, 0xff, 0x7f)],
    ['a large announcement in the middle of others', 'oversize', () => bytes(PINGREQ, 0x82, 0x81, 0x20)],
  ] as const)('on %s', async (_what, reason, sent) => {
    await expectRefused(reason, async () => {
      const meter = await Meter.ready(device, door.port);
      meter.send(sent());
      await meter.untilClosed();
      expect(meter.of(0x40)).toEqual([]);
    });
  });
});

describe('SUBSCRIBE is answered with failure', () => {
  it.each([
    ['everything', 'wildcard', (): string => '#'],
    ['all its own topics', 'wildcard', (): string => `t/fluvius/${device.device}/#`],
    ['a wildcard for the tenant', 'wildcard', (): string => `t/+/${device.device}/down/receipt`],
    ['$SYS', 'sys', (): string => '$SYS/#'],
    ['a share', 'share', (): string => `$share/g/${downTopic(FLUVIUS, device.device, 'command')}`],
    ['the receipts of another device', 'device', (): string => downTopic(FLUVIUS, other.device, 'receipt')],
    ['its own device at a foreign tenant', 'tenant', (): string => downTopic(ORES, device.device, 'receipt')],
    ['its own upward topic', 'direction', (): string => upTopic(FLUVIUS, device.device, 'index')],
    ['something else', 'topic', (): string => 'hello'],
    ['a topic of QoS 2', 'qos-2', (): string => downTopic(FLUVIUS, device.device, 'receipt')],
  ] as const)('for %s', async (_what, reason, filter) => {
    await expectRefused(reason, async () => {
      const meter = await Meter.ready(device, door.port);
      meter.send(subscribe(filter(), reason === 'qos-2' ? 2 : 1));
      await meter.until(() => meter.of(0x90).length > 0);
      expect(meter.of(0x90)).toEqual([bytes(0, 7, 0x80)]);
      await meter.leave();
    });
  });

  it.each([
    ['a # in the middle', 'a/#/b'],
    ['a # glued to a name', 'abc#'],
    ['a + glued to a name', 'abc+'],
  ] as const)('or the connection closes, for a filter that MQTT does not know: %s', async (_what, filter) => {
    await expectRefused('wildcard', async () => {
      const meter = await Meter.ready(device, door.port);
      meter.send(subscribe(filter));
      await meter.untilClosed();
    });
  });

  it('but granted for its own exact downward topics, at home and as a guest', async () => {
    const meter = await Meter.ready(device, door.port);
    meter.send(subscribe(downTopic(FLUVIUS, device.device, 'receipt'), 1, 1));
    meter.send(subscribe(downTopic(FARYS, device.device, 'command'), 0, 2));
    await meter.until(() => meter.of(0x90).length > 1);
    expect(meter.of(0x90)).toEqual([bytes(0, 1, 1), bytes(0, 2, 0)]);
    await meter.leave();
  });
});

describe('what MQTT asks of a server', () => {
  it('is there: PINGRESP, and a clean end on DISCONNECT without any refusal', async () => {
    const before = refusals();
    const meter = await Meter.ready(device, door.port);
    meter.send(PINGREQ);
    await meter.until(() => meter.of(0xd0).length > 0);
    meter.send(DISCONNECT);
    await meter.untilClosed();
    expect(refusals()).toEqual(before);
    expect(door.counters.get('sessions')).toBe(0);
  });
});
