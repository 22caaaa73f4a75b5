import { type Socket, connect as tcpConnect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { RECEIPT_BYTES_MAX } from '../../protocol/limits.ts';
import { upTopic } from '../../protocol/topics.ts';
import { encodeUplinkAnswer } from '../../protocol/uplink.ts';
import type { FrontLimits } from './limits.ts';
import { giveReceipt, standStill } from './testing/fake-bus.ts';
import { counted, type Door, FARYS, Field, FLUVIUS, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { connect, publish } from './testing/wire.ts';

const PUBACK = 0x40;

let field: Field;
let door: Door | undefined;

beforeAll(() => {
  field = new Field();
});
afterEach(async () => {
  await door?.stop();
  door = undefined;
});
afterAll(() => field.remove());

async function open(limits: Partial<FrontLimits>): Promise<Door> {
  door = await openDoor(field, { limits: { stopTimeoutMs: 100, ...limits } });
  return door;
}

const newMeter = (at: Door, home: TenantId = ORES) => Meter.ready(field.device(home), at.port);

const sendIndex = (meter: Meter, owner: TenantId = meter.identity.home, messageId = 1) =>
  meter.send(publish({ topic: upTopic(owner, meter.identity.device, 'index'), messageId }));

describe('held messages', () => {
  it("of one tenant are capped, and the other tenants' go on", async () => {
    const at = await open({ heldPerClientMax: 1, heldPerTenantMax: 3, heldMax: 10 });
    at.bus(ORES).answer = standStill;
    const frozen = await Promise.all([1, 2, 3].map(() => newMeter(at)));
    for (const meter of frozen) sendIndex(meter);
    await counted(at.counters, 'tenant.ores.held', 3);
    const tooMany = await newMeter(at);
    sendIndex(tooMany);
    await tooMany.untilClosed();
    expect(at.counters.get('unanswered.held-tenant')).toBe(1);
    const neighbour = await newMeter(at, FLUVIUS);
    sendIndex(neighbour);
    await neighbour.until(() => neighbour.of(PUBACK).length > 0);
    expect(neighbour.of(PUBACK)).toHaveLength(1);
    expect(frozen.some(({ closed }) => closed)).toBe(false);
  });

  it('of one tenant that wait for a desk are capped below it, and its readings go on', async () => {
    const at = await open({ heldResultsPerTenantMax: 2 });
    at.bus(ORES).answer = (request) =>
      request.subject === 'up.index' ? giveReceipt(request) : standStill(request);
    const meters = await Promise.all([1, 2, 3].map(() => newMeter(at)));
    for (const [index, meter] of meters.entries()) {
      const kind = index % 2 === 0 ? 'result' : 'event';
      meter.send(publish({ topic: upTopic(ORES, meter.identity.device, kind) }));
      if (index < 2) await counted(at.counters, 'tenant.ores.held', index + 1);
    }
    await meters[2]!.untilClosed();
    expect(at.counters.get('unanswered.held-results')).toBe(1);
    sendIndex(meters[0]!, ORES, 2);
    await meters[0]!.until(() => meters[0]!.of(PUBACK).length > 0);
    expect(meters[1]!.closed).toBe(false);
  });

  it('are capped in all', async () => {
    const at = await open({ heldPerClientMax: 1, heldPerTenantMax: 2, heldMax: 2 });
    at.bus(ORES).answer = standStill;
    at.bus(FARYS).answer = standStill;
    const meters = [await newMeter(at, ORES), await newMeter(at, FARYS)];
    for (const meter of meters) sendIndex(meter);
    await counted(at.counters, 'held', 2);
    const tooMany = await newMeter(at, FLUVIUS);
    sendIndex(tooMany);
    await tooMany.untilClosed();
    expect(at.counters.get('unanswered.held-all')).toBe(1);
    expect(at.bus(FLUVIUS).requests).toEqual([]);
  });

  it('keep their place until the bus lets go of them, also when their device has gone', async () => {
    const at = await open({ answerTimeoutMs: 200 });
    at.bus(ORES).answer = standStill;
    const meter = await newMeter(at);
    sendIndex(meter);
    await counted(at.counters, 'held');
    meter.socket.destroy();
    await meter.untilClosed();
    expect(at.counters.get('held')).toBe(1);
    for (let tries = 0; at.counters.get('held') > 0 && tries < 100; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(at.counters.get('held')).toBe(0);
  });
});

describe('connections', () => {
  it('of one tenant are capped, and the other tenants get in', async () => {
    const at = await open({ connectionsPerTenantMax: 2 });
    const inside = [await newMeter(at), await newMeter(at)];
    const third = new Meter(field.device(ORES), at.port);
    await third.untilClosed();
    expect(at.counters.get('refused.connections-tenant')).toBe(1);
    expect((await newMeter(at, FLUVIUS)).closed).toBe(false);
    await inside[0]!.leave();
    expect((await newMeter(at)).closed).toBe(false);
  });

  it('of a tenant at its cap still let a device take the place of its own dead session', async () => {
    const at = await open({ connectionsPerTenantMax: 1 });
    const first = await newMeter(at);
    const again = await Meter.ready(first.identity, at.port);
    await first.untilClosed();
    expect(again.closed).toBe(false);
    expect(at.counters.get('closed.replaced')).toBe(1);
    expect(at.counters.get('tenant.ores.sessions')).toBe(1);
  });

  it('in all are capped before any cryptography', async () => {
    const at = await open({ connectionsPerTenantMax: 2, connectionsMax: 2, handshakesMax: 2 });
    await newMeter(at);
    await newMeter(at, FLUVIUS);
    const third = new Meter(field.device(FARYS), at.port);
    await third.untilClosed();
    expect(at.counters.get('refused.connections')).toBe(1);
  });

  it('that stay silent take no more than their share of places, and give it back', async () => {
    const at = await open({ handshakesMax: 3, handshakeTimeoutMs: 400 });
    const silent: Socket[] = [];
    for (let n = 0; n < 5; n += 1) {
      const socket = tcpConnect(at.port, '127.0.0.1');
      socket.on('error', () => undefined);
      silent.push(socket);
    }
    await counted(at.counters, 'refused.handshakes', 2);
    expect(at.counters.get('handshakes')).toBe(3);
    const shutOut = new Meter(field.device(ORES), at.port);
    await shutOut.untilClosed();
    await counted(at.counters, 'refused.handshake-timeout', 3);
    expect((await newMeter(at)).closed).toBe(false);
    expect(at.counters.get('handshakes')).toBe(0);
  });
});

describe('a session', () => {
  it('that says nothing is closed after 1.5 times its keepalive', async () => {
    const at = await open({});
    const device = field.device(ORES);
    const meter = new Meter(device, at.port);
    await meter.secure();
    meter.send(connect({ clientId: device.device, keepalive: 1 }));
    await meter.untilClosed();
    expect(at.counters.get('closed.keepalive')).toBe(1);
  });

  it('that does not read what it is sent is closed, and what waits for it is bounded until then', async () => {
    const at = await open({ heldPerClientMax: 1_024, heldPerTenantMax: 2_048 });
    const receipt = encodeUplinkAnswer({ kind: 'receipt', receipt: new Uint8Array(RECEIPT_BYTES_MAX) });
    const meter = await newMeter(at);
    const session = at.front.presence.find(ORES, meter.identity.device)!;
    let waitingMax = 0;
    at.bus(ORES).answer = () => {
      waitingMax = Math.max(waitingMax, session.socket.writableLength);
      return receipt;
    };
    meter.socket.pause();
    const topic = upTopic(ORES, meter.identity.device, 'index');
    const batch = Buffer.concat(Array.from({ length: 100 }, (_, n) => publish({ topic, messageId: n + 1 })));
    const timer = setInterval(() => {
      at.bus(ORES).requests.length = 0;
      while (!meter.closed && meter.socket.writableLength < 500_000) meter.socket.write(batch);
    }, 1);
    expect(await counted(at.counters, 'closed.slow')).toBe(1);
    clearInterval(timer);
    expect(waitingMax).toBeGreaterThan(0);
    expect(waitingMax).toBeLessThan(600_000);
    meter.socket.destroy();
  });

  it('of a device is replaced by a newer one of the same device, whose messages then count', async () => {
    const at = await open({});
    const first = await newMeter(at);
    const answer = Promise.withResolvers<Uint8Array>();
    at.bus(ORES).answer = () => answer.promise;
    sendIndex(first);
    await counted(at.counters, 'held');
    const second = await Meter.ready(first.identity, at.port);
    await first.untilClosed();
    answer.resolve(await giveReceipt(at.bus(ORES).requests[0]!));
    at.bus(ORES).answer = giveReceipt;
    sendIndex(second);
    await second.until(() => second.of(PUBACK).length > 0);
    expect(first.of(PUBACK)).toEqual([]);
    expect(at.front.presence.find(ORES, first.identity.device)?.ended).toBe(false);
    expect(at.counters.get('closed.replaced')).toBe(1);
  });

  it('cannot be thrown out by a device of another tenant that drew the same pseudonym', async () => {
    const at = await open({});
    const first = await newMeter(at);
    const { device } = first.identity;
    const namesake = await Meter.ready(field.device(FLUVIUS, { device }), at.port);
    expect(first.closed).toBe(false);
    expect(at.front.presence.find(ORES, device)).not.toBe(at.front.presence.find(FLUVIUS, device));
    await namesake.leave();
    expect(at.front.presence.find(ORES, device)).toBeDefined();
  });
});

describe('one tenant that stands still', () => {
  it('leaves the others as fast as they were', async () => {
    const at = await open({ answerTimeoutMs: 2_000 });
    at.bus(ORES).answer = standStill;
    const frozen = await Promise.all(Array.from({ length: 10 }, () => newMeter(at)));
    for (const meter of frozen) for (let id = 1; id <= 8; id += 1) sendIndex(meter, ORES, id);
    await counted(at.counters, 'held', 80);
    const startedMs = performance.now();
    for (let round = 0; round < 10; round += 1)
      for (const tenant of [FLUVIUS, FARYS]) {
        const meter = await newMeter(at, tenant);
        sendIndex(meter);
        await meter.until(() => meter.of(PUBACK).length > 0);
        await meter.leave();
      }
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(at.counters.get('tenant.ores.held')).toBe(80);
    expect(at.counters.get('receipts')).toBe(20);
  });
});
