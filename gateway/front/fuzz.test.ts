import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { downTopic, upTopic } from '../../protocol/topics.ts';
import { type Door, Field, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { bytes, connect, DISCONNECT, PINGREQ, packet, publish, subscribe, text } from './testing/wire.ts';

const SEED = 20_260_328;
/** Between rounds the heap may breathe; a leak per packet would show far above this. */
const HEAP_GROWTH_BYTES_MAX = 64 * 1_048_576;

let field: Field;
let door: Door;
let device: DeviceIdentity;

beforeAll(async () => {
  field = new Field();
  door = await openDoor(field, {
    limits: { packetBytesMax: 4_096, connectTimeoutMs: 200, answerTimeoutMs: 200 },
  });
  device = field.device(ORES);
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

const shortText = fc.oneof(
  fc.constantFrom('', '#', '+', '/', '$SYS/x', 't/ores', '\0', '\ufeff', 'a/'.repeat(120)),
  fc.string({ maxLength: 40, unit: 'binary' }),
);

/** Packets that are nearly right: every field by its grammar, wrong in any of them. */
const nearPacket = (own: () => DeviceIdentity): fc.Arbitrary<Uint8Array> =>
  fc.oneof(
    fc
      .record({
        level: fc.constantFrom(3, 4, 5, 6, 132),
        flags: fc.nat(255),
        keepalive: fc.nat(65_535),
        rest: fc.uint8Array({ maxLength: 60 }),
      })
      .map((fields) => connect({ clientId: own().device, ...fields })),
    fc
      .tuple(
        shortText,
        fc.uint8Array({ maxLength: 400 }),
        fc.constantFrom(0, 1, 2),
        fc.boolean(),
        fc.nat(65_535),
      )
      .map(([topic, payload, qos, retain, messageId]) =>
        publish({ topic, payload, qos: qos as 0 | 1 | 2, retain, messageId }),
      ),
    fc
      .tuple(fc.uint8Array({ maxLength: 1_000 }), fc.nat(65_535))
      .map(([payload, messageId]) =>
        publish({ topic: upTopic(ORES, own().device, 'index'), payload, messageId }),
      ),
    fc.tuple(shortText, fc.nat(255)).map(([filter, qos]) => subscribe(filter, qos)),
    fc.nat(3).map((qos) => subscribe(downTopic(ORES, own().device, 'receipt'), qos)),
    shortText.map((filter) => packet(0xa2, bytes(0, 1, text(filter)))),
    fc.constantFrom(
      PINGREQ,
      DISCONNECT,
      packet(0x40, bytes(0, 1)),
      packet(0x62, bytes(0, 1)),
      packet(0x40),
      packet(0x82),
    ),
    fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 60 })).map(([first, body]) => packet(first, body)),
    fc.uint8Array({ maxLength: 60 }),
  );

interface Mutation {
  readonly at: number;
  readonly flip: number;
}

const session = (): fc.Arbitrary<{
  hello: boolean;
  pieces: Uint8Array[];
  mutations: Mutation[];
  cuts: number[];
}> =>
  fc.record({
    hello: fc.boolean(),
    pieces: fc.array(
      nearPacket(() => device),
      { minLength: 1, maxLength: 12 },
    ),
    mutations: fc.array(fc.record({ at: fc.nat(2_000), flip: fc.nat(255) }), { maxLength: 3 }),
    cuts: fc.array(fc.nat(2_000), { maxLength: 4 }),
  });

describe('whatever a device with a valid certificate sends', () => {
  it('the front neither crashes nor hangs, and holds nothing afterwards', async () => {
    const heapBefore = process.memoryUsage().heapUsed;
    await fc.assert(
      fc.asyncProperty(session(), async ({ hello, pieces, mutations, cuts }) => {
        const stream = Buffer.concat([...(hello ? [connect({ clientId: device.device })] : []), ...pieces]);
        for (const { at, flip } of mutations) if (at < stream.length) stream[at]! ^= flip;
        const meter = new Meter(device, door.port);
        await meter.secure();
        const edges = [
          0,
          ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b),
          stream.length,
        ];
        for (const [n, end] of edges.slice(1).entries()) meter.send(stream.subarray(edges[n], end));
        meter.socket.end();
        await meter.untilClosed();
      }),
      { seed: SEED, numRuns: 250, endOnFailure: true },
    );
    const healthy = await Meter.ready(device, door.port);
    healthy.send(publish({ topic: upTopic(ORES, device.device, 'index') }));
    await healthy.until(() => healthy.of(0x40).length > 0);
    expect(healthy.of(0x40)).toHaveLength(1);
    await healthy.leave();
    await vi.waitFor(() => expect(door.counters.get('connections')).toBe(0));
    expect(door.counters.get('sessions')).toBe(0);
    expect(door.counters.get('held')).toBe(0);
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
  });
});
