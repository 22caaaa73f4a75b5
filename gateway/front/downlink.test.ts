import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { revokeDevice } from '../../pki/development/development.ts';
import {
  type DownlinkAnswer,
  decodeDownlinkAnswer,
  encodeDeskAnswer,
  encodeDownlink,
} from '../../protocol/downlink.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { COMMAND_SEALED_BYTES_MAX } from '../../protocol/limits.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';
import { fail } from './testing/fake-bus.ts';
import { counted, type Door, FARYS, Field, FLUVIUS, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { bytes, packet, publish, subscribe, text } from './testing/wire.ts';

const SUBACK = 0x90;
const UNSUBACK = 0xb0;
const PUBLISH = 0x30;
const NOT_GRANTED = 0x80;

/** For what happens at once on a machine that has time. */
const PATIENT = { timeout: 10_000 };

let field: Field;
let door: Door;

beforeAll(async () => {
  field = new Field();
  door = await openDoor(field, { limits: { commandUnreadBytesMax: COMMAND_SEALED_BYTES_MAX } });
});
afterEach(() => {
  for (const bus of door.buses.values()) bus.desk = fail('ERR_BUS_NO_RESPONDERS');
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

const SEALED = Buffer.from('a sealed command');

async function send(
  desk: TenantId,
  home: TenantId,
  device: DeviceId,
  sealed: Uint8Array = SEALED,
): Promise<DownlinkAnswer['kind']> {
  const answer = await door.bus(desk).ask('down.command', device, encodeDownlink({ home, sealed }));
  return decodeDownlinkAnswer(answer).kind;
}

/** A device that listens for commands of these tenants. */
async function listening(home: TenantId, guests: readonly TenantId[] = [], to = [home]): Promise<Meter> {
  const meter = await Meter.ready(field.device(home, { guests: [...guests] }), door.port);
  for (const [index, tenant] of to.entries()) {
    meter.send(subscribe(downTopic(tenant, meter.identity.device, 'command'), 1, index + 1));
    await meter.until(() => meter.of(SUBACK).length > index);
  }
  return meter;
}

const undelivered = (reason: string): number => door.counters.get(`undelivered.${reason}`);

describe('a command reaches nobody', () => {
  it('when its device has no connection', async () => {
    const before = undelivered('not-connected');
    expect(await send(ORES, ORES, 'f'.repeat(16) as DeviceId)).toBe('absent');
    expect(undelivered('not-connected')).toBe(before + 1);
  });

  it('when its device has not subscribed, or only to receipts', async () => {
    const meter = await Meter.ready(field.device(ORES), door.port);
    const { device } = meter.identity;
    expect(await send(ORES, ORES, device)).toBe('absent');
    meter.send(subscribe(downTopic(ORES, device, 'receipt'), 1));
    await meter.until(() => meter.of(SUBACK).length > 0);
    expect(await send(ORES, ORES, device)).toBe('absent');
    expect(undelivered('not-listening')).toBeGreaterThanOrEqual(2);
    await meter.leave();
  });

  it('when a desk names the home of another tenant’s device', async () => {
    const meter = await listening(FLUVIUS);
    const before = undelivered('stranger');
    expect(await send(ORES, FLUVIUS, meter.identity.device)).toBe('absent');
    expect(undelivered('stranger')).toBe(before + 1);
    expect(meter.of(PUBLISH)).toEqual([]);
    await meter.leave();
  });

  it('when the device listens to its home, and its guest sends', async () => {
    const meter = await listening(FLUVIUS, [FARYS]);
    expect(await send(FARYS, FLUVIUS, meter.identity.device)).toBe('absent');
    expect(await send(FLUVIUS, FLUVIUS, meter.identity.device)).toBe('written');
    await meter.leave();
  });

  it('when the home that is named is not the device’s', async () => {
    const meter = await listening(FLUVIUS, [FARYS], [FLUVIUS, FARYS]);
    expect(await send(FARYS, FARYS, meter.identity.device)).toBe('absent');
    await meter.leave();
  });

  it('when its device has gone', async () => {
    const meter = await listening(ORES);
    await meter.leave();
    await expect.poll(() => send(ORES, ORES, meter.identity.device), PATIENT).toBe('absent');
  });

  it('when its device has unsubscribed', async () => {
    const meter = await listening(ORES);
    const topic = downTopic(ORES, meter.identity.device, 'command');
    meter.send(packet(0xa2, bytes(0, 9, text(topic))));
    await meter.until(() => meter.of(UNSUBACK).length > 0);
    expect(await send(ORES, ORES, meter.identity.device)).toBe('absent');
    await meter.leave();
  });

  it('when its device came again and has not subscribed yet: the session before is no answer', async () => {
    const before = await listening(ORES);
    const after = await Meter.ready(before.identity, door.port);
    expect(await send(ORES, ORES, after.identity.device)).toBe('absent');
    await before.untilClosed();
    expect(before.of(PUBLISH)).toEqual([]);
    await after.leave();
  });

  it('when its device was revoked', async () => {
    const meter = await listening(ORES);
    revokeDevice(field.pki, meter.identity, { nowMs: Date.now() });
    await door.front.reload();
    expect(await send(ORES, ORES, meter.identity.device)).toBe('absent');
    await meter.untilClosed();
    expect(meter.of(PUBLISH)).toEqual([]);
  });

  it('when the bus lies: bytes that are no command are given to nobody', async () => {
    const meter = await listening(ORES);
    const before = undelivered('malformed');
    for (const body of [
      Buffer.alloc(0),
      Buffer.from('nonsense'),
      encodeDownlink({ home: ORES, sealed: SEALED }).subarray(1),
      Buffer.concat([encodeDownlink({ home: ORES, sealed: SEALED }), Buffer.from([0])]),
    ]) {
      const answer = await door.bus(ORES).ask('down.command', meter.identity.device, body);
      expect(decodeDownlinkAnswer(answer).kind).toBe('absent');
    }
    expect(undelivered('malformed')).toBe(before + 4);
    expect(meter.of(PUBLISH)).toEqual([]);
    await meter.leave();
  });

  it('when the device does not read: it stays with its desk, and takes no memory here', async () => {
    const meter = await listening(ORES);
    meter.socket.pause();
    const sealed = Buffer.alloc(COMMAND_SEALED_BYTES_MAX);
    let written = 0;
    let kind: string = 'written';
    while (kind === 'written' && written < 10_000) {
      kind = await send(ORES, ORES, meter.identity.device, sealed);
      if (kind === 'written') written += 1;
      // Sockets take what they can between two turns.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(kind).toBe('busy');
    expect(await send(ORES, ORES, meter.identity.device, Buffer.alloc(0))).toBe('busy');
    expect(undelivered('busy')).toBeGreaterThanOrEqual(2);
    meter.socket.resume();
    await meter.until(() => meter.of(PUBLISH).length === written);
    await expect
      .poll(() => send(ORES, ORES, meter.identity.device, Buffer.alloc(0)), PATIENT)
      .toBe('present');
    meter.socket.destroy();
  });
});

describe('a subscription to commands', () => {
  it.each<[string, string, (device: DeviceId) => string]>([
    ['device', 'of another device', () => downTopic(ORES, 'f'.repeat(16) as DeviceId, 'command')],
    ['tenant', 'of another tenant', (device) => downTopic(FLUVIUS, device, 'command')],
    [
      'tenant',
      'of a tenant that is not served here',
      (device) => downTopic('resa' as TenantId, device, 'command'),
    ],
    ['wildcard', 'of everybody', () => 't/ores/+/down/command'],
    ['share', 'that is shared', (device) => `$share/g/t/ores/${device}/down/command`],
    ['direction', 'to what devices send', (device) => upTopic(ORES, device, 'result')],
  ])('is not granted, and no desk hears of it (%s): %s', async (reason, _, topicOf) => {
    const refused = door.counters.get(`refused.${reason}`);
    const notices = [...door.buses.values()].map((bus) => bus.notices.length);
    const meter = await Meter.ready(field.device(ORES), door.port);
    meter.send(subscribe(topicOf(meter.identity.device), 1));
    await meter.until(() => meter.of(SUBACK).length > 0);
    expect(meter.of(SUBACK)[0]!.at(-1)).toBe(NOT_GRANTED);
    expect(door.counters.get(`refused.${reason}`)).toBe(refused + 1);
    expect([...door.buses.values()].map((bus) => bus.notices.length)).toEqual(notices);
    expect(await send(ORES, ORES, meter.identity.device)).toBe('absent');
    await meter.leave();
  });
});

describe('a command', () => {
  it('comes to its device as it was sent, on the topic of the desk that sent it', async () => {
    const meter = await listening(FLUVIUS, [FARYS], [FLUVIUS, FARYS]);
    const { device } = meter.identity;
    const commands = door.counters.get('tenant.farys.commands');
    const largest = Buffer.alloc(COMMAND_SEALED_BYTES_MAX, 7);
    expect(await send(FLUVIUS, FLUVIUS, device)).toBe('written');
    expect(await send(FARYS, FLUVIUS, device)).toBe('written');
    await meter.until(() => meter.of(PUBLISH).length === 2);
    expect(await send(FARYS, FLUVIUS, device, largest)).toBe('written');
    await meter.until(() => meter.of(PUBLISH).length === 3);
    expect(meter.of(PUBLISH)).toEqual([
      bytes(text(downTopic(FLUVIUS, device, 'command')), SEALED),
      bytes(text(downTopic(FARYS, device, 'command')), SEALED),
      bytes(text(downTopic(FARYS, device, 'command')), largest),
    ]);
    expect(door.counters.get('tenant.farys.commands')).toBe(commands + 2);
    await meter.leave();
  });

  it('is asked for without being sent: present, and nothing is written', async () => {
    const meter = await listening(ORES);
    expect(await send(ORES, ORES, meter.identity.device, Buffer.alloc(0))).toBe('present');
    meter.send(publish({ topic: upTopic(ORES, meter.identity.device, 'index') }));
    await meter.until(() => meter.of(0x40).length > 0);
    // The receipt, and nothing before it.
    expect(meter.of(PUBLISH)).toHaveLength(1);
    await meter.leave();
  });

  it('comes before the SUBACK where the desk sends it when it hears of the device', async () => {
    door.bus(ORES).desk = async ({ device }) => {
      expect(await send(ORES, ORES, device)).toBe('written');
      return encodeDeskAnswer({ kind: 'taken' });
    };
    const meter = await listening(ORES);
    const firsts = [meter.received.indexOf(SEALED), meter.received.lastIndexOf(Buffer.from([SUBACK, 3]))];
    expect(firsts[0]).toBeGreaterThan(0);
    expect(firsts[1]).toBeGreaterThan(firsts[0]!);
    await meter.leave();
  });

  it('is given to nobody once the front is stopping', async () => {
    const at = await openDoor(field);
    const identity = field.device(ORES);
    const meter = await Meter.ready(identity, at.port);
    meter.send(subscribe(downTopic(ORES, identity.device, 'command'), 1));
    await meter.until(() => meter.of(SUBACK).length > 0);
    const stopped = at.stop();
    const body = encodeDownlink({ home: ORES, sealed: SEALED });
    const answer = await at.bus(ORES).ask('down.command', identity.device, body);
    expect(decodeDownlinkAnswer(answer).kind).toBe('absent');
    await stopped;
    await meter.untilClosed();
    expect(await counted(at.counters, 'undelivered.ending')).toBe(1);
  });
});
