import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';
import { parseConfig } from '../runtime/config.ts';
import { Counters } from '../runtime/counters.ts';
import { silentLog } from '../runtime/log.ts';
import { frontConfigSchema } from './config.ts';
import { startFront } from './front.ts';
import { FakeBus, giveReceipt, RECEIPT, standStill } from './testing/fake-bus.ts';
import { counted, type Door, Field, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { publish } from './testing/wire.ts';

let field: Field;
let door: Door | undefined;
let device: DeviceIdentity;

beforeAll(() => {
  field = new Field();
  device = field.device(ORES);
});
afterEach(async () => {
  await door?.stop();
  door = undefined;
});
afterAll(() => field.remove());

const mqtt = (port: number, options: IClientOptions = {}): Promise<MqttClient> =>
  connectAsync({
    protocol: 'mqtts',
    host: '127.0.0.1',
    servername: 'localhost',
    port,
    ca: device.root,
    key: device.tls.key,
    cert: device.tls.certificate,
    clientId: device.device,
    protocolVersion: 4,
    reconnectPeriod: 0,
    ...options,
  });

describe('starting', () => {
  const start = (raw: object) =>
    startFront({
      config: parseConfig(frontConfigSchema, raw),
      bus: (tenant) => new FakeBus(tenant),
      log: silentLog,
      counters: new Counters(),
    });

  it('fails with a clear error when the port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    const address = other.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(start({ ...field.rawConfig(), listen: { port } })).rejects.toMatchObject({
      code: 'ERR_FRONT_PORT_TAKEN',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    other.close();
  });

  it('fails when the address is of another machine', async () => {
    const listen = { host: '192.0.2.1', port: 0 };
    await expect(start({ ...field.rawConfig(), listen })).rejects.toMatchObject({
      code: 'ERR_FRONT_ADDRESS',
    });
  });

  it('fails when a revocation list is missing', async () => {
    const broken = new Field();
    rmSync(broken.pki.layout.crl(ORES));
    await expect(start(broken.rawConfig())).rejects.toMatchObject({ code: 'ERR_FRONT_FILE' });
    broken.remove();
  });

  it("fails when one tenant's issuing CA is given for another's", async () => {
    const raw = field.rawConfig();
    const { ores, fluvius } = raw.tenants;
    await expect(start({ ...raw, tenants: { ores: fluvius, fluvius: ores } })).rejects.toMatchObject({
      code: 'ERR_TRUST_AUTHORITY',
    });
  });

  it('fails on development keys that nobody asked for', async () => {
    await expect(start({ ...field.rawConfig(), development: false })).rejects.toMatchObject({
      code: 'ERR_TRUST_DEVELOPMENT',
    });
  });

  it('fails when the ticket keys are not 48 bytes', async () => {
    const { layout } = field.pki;
    const tls = { ...layout.front, ticketKeys: layout.root.certificate };
    await expect(start({ ...field.rawConfig(), tls })).rejects.toMatchObject({
      code: 'ERR_FRONT_TICKET_KEYS',
    });
  });
});

describe('mqtt.js as a device', () => {
  it('of MQTT 5 is refused cleanly', async () => {
    door = await openDoor(field);
    await expect(mqtt(door.port, { protocolVersion: 5 })).rejects.toThrow();
    expect(await counted(door.counters, 'refused.version')).toBe(1);
    expect(door.counters.get('refused.malformed')).toBe(0);
  });

  it('publishes and gets its receipt, subscribed or not', async () => {
    door = await openDoor(field);
    const client = await mqtt(door.port);
    const received: [string, Buffer][] = [];
    client.on('message', (topic, payload) => received.push([topic, payload]));
    await client.publishAsync(upTopic(ORES, device.device, 'index'), 'sealed', { qos: 1 });
    await client.subscribeAsync(downTopic(ORES, device.device, 'receipt'), { qos: 1 });
    await client.publishAsync(upTopic(ORES, device.device, 'index'), 'sealed', { qos: 1 });
    expect(received).toEqual(
      Array(2).fill([downTopic(ORES, device.device, 'receipt'), Buffer.from(RECEIPT)]),
    );
    await client.endAsync();
    expect(door.counters.get('receipts')).toBe(2);
  });

  it('gets many messages through one connection, in bursts of what may be held', async () => {
    door = await openDoor(field);
    const client = await mqtt(door.port);
    for (let round = 0; round < 50; round += 1)
      await Promise.all(
        Array.from({ length: 8 }, () =>
          client.publishAsync(upTopic(ORES, device.device, 'index'), 'sealed', { qos: 1 }),
        ),
      );
    await client.endAsync();
    expect(door.counters.get('receipts')).toBe(400);
  });
});

describe('ticket keys that two fronts share', () => {
  it('let a session of the one resume at the other; drawn ones do not', async () => {
    const ticketKeys = join(field.directory, 'ticket.keys');
    writeFileSync(ticketKeys, randomBytes(48));
    const tls = { ...field.pki.layout.front, ticketKeys };
    const shared = await Promise.all([openDoor(field, { tls }), openDoor(field, { tls })]);
    door = await openDoor(field);
    const meter = await Meter.ready(device, shared[0].port);
    await meter.until(() => meter.session !== undefined);
    await meter.leave();
    const resumed = async (port: number): Promise<boolean> => {
      const again = await Meter.ready(device, port, { session: meter.session! });
      const reused = again.socket.isSessionReused();
      await again.leave();
      return reused;
    };
    expect(await resumed(shared[1].port)).toBe(true);
    expect(await resumed(door.port)).toBe(false);
    // Rotated in the file, they are new on both.
    writeFileSync(ticketKeys, randomBytes(48));
    for (const at of shared) {
      await at.front.reload();
      expect(await resumed(at.port)).toBe(false);
    }
    // A file that is no such file changes nothing.
    const renewed = await Meter.ready(device, shared[0].port);
    await renewed.until(() => renewed.session !== undefined);
    await renewed.leave();
    writeFileSync(ticketKeys, randomBytes(47));
    await shared[1].front.reload();
    meter.session = renewed.session;
    expect(await resumed(shared[1].port)).toBe(true);
    await Promise.all(shared.map((at) => at.stop()));
  });
});

describe('stopping', () => {
  const sendIndex = async (at: Door): Promise<Meter> => {
    const meter = await Meter.ready(device, at.port);
    meter.send(publish({ topic: upTopic(ORES, device.device, 'index') }));
    await counted(at.counters, 'held');
    return meter;
  };

  it('lets answers that are under way arrive, and closes idle sessions at once', async () => {
    const at = await openDoor(field);
    const answer = Promise.withResolvers<Uint8Array>();
    at.bus(ORES).answer = () => answer.promise;
    const meter = await sendIndex(at);
    const idle = await Meter.ready(field.device(ORES), at.port);
    const stopped = at.stop();
    await idle.untilClosed();
    expect(meter.closed).toBe(false);
    answer.resolve(await giveReceipt(at.bus(ORES).requests[0]!));
    await stopped;
    await meter.untilClosed();
    expect(meter.of(0x40)).toHaveLength(1);
    expect([...at.buses.values()].every(({ closed }) => closed)).toBe(true);
    await expect(Meter.ready(device, at.port)).rejects.toThrow();
  });

  it('does not wait for an answer that does not come', async () => {
    const at = await openDoor(field, { limits: { stopTimeoutMs: 100 } });
    at.bus(ORES).answer = standStill;
    const meter = await sendIndex(at);
    const startedMs = performance.now();
    await at.stop();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await meter.untilClosed();
    expect(meter.of(0x40)).toEqual([]);
  });

  it('ends handshakes and CONNECTs that are under way', async () => {
    const at = await openDoor(field);
    const meter = new Meter(device, at.port);
    await meter.secure();
    await at.stop();
    await meter.untilClosed();
    expect(at.counters.get('connections')).toBe(0);
  });
});
