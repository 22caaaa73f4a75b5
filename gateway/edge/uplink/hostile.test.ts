import { getEventListeners } from 'node:events';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { downTopic } from '../../../protocol/topics.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { EdgeDevice, WakeResult } from '../device.ts';
import { deviceBench, liveDays } from '../testing/device.ts';
import {
  CONNACK,
  HostileHeadEnd,
  hex,
  type Move,
  packetOf,
  pubackOf,
  publishOf,
  type Script,
} from '../testing/hostile.ts';
import { ORES } from '../testing/meters.ts';
import { Connection } from './connection.ts';
import { INBOUND_BYTES_MAX } from './inbound.ts';
import { UPLINK_LIMITS } from './limits.ts';

const bench = deviceBench();
const SEED = Number(process.env['HES_TEST_SEED'] ?? 7);
const ROUNDS = Number(process.env['HES_TEST_ROUNDS'] ?? 40);
let hostile: HostileHeadEnd;

beforeAll(async () => {
  hostile = await HostileHeadEnd.listen(bench.headEnd.pki);
});
afterAll(() => hostile.stop());
afterEach(() => {
  hostile.packets.length = 0;
});

const timers = (): number =>
  process.getActiveResourcesInfo().filter((name) => name === 'Timeout' || name === 'Immediate').length;

const settled = async (so: () => boolean): Promise<void> => {
  for (let tries = 0; !so() && tries < 200; tries++) await new Promise((resolve) => setTimeout(resolve, 5));
};

async function deviceWithReadings(days = 1, answerTimeoutMs = 150): Promise<EdgeDevice> {
  const device = bench.openDevice({
    headEnd: { host: '127.0.0.1', port: hostile.port },
    limits: {
      uplink: { connectTimeoutMs: 500, answerTimeoutMs, receiptGraceMs: 50, closeTimeoutMs: 100 },
    },
  });
  await liveDays(device, days, { guest: false });
  return device;
}

/** Wake against a script, and see that the reading is still there and nothing of the wake is. */
async function wakeAgainst(script: Script, days = 1, answerTimeoutMs = 150): Promise<WakeResult> {
  const device = await deviceWithReadings(days, answerTimeoutMs);
  hostile.script = script;
  const { signal } = new AbortController();
  const before = timers();
  const result = await device.wake(signal);
  await settled(() => hostile.connected === 0 && timers() <= before);
  expect(hostile.connected).toBe(0);
  expect(timers()).toBeLessThanOrEqual(before);
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  expect([result.delivered, result.duplicates, result.refused]).toEqual([0, 0, 0]);
  expect(device.pending()).toBe(days);
  await device.close();
  return result;
}

const topic = (): string => downTopic(ORES, bench.identity.device, 'receipt');

describe('a head-end that answers CONNECT with', () => {
  test.each<[string, Move | undefined, string]>([
    ['nothing', undefined, 'ERR_UPLINK_CONNECT'],
    ['an end', 'end', 'ERR_UPLINK_CONNECT'],
    ['a reset', 'destroy', 'ERR_UPLINK_CONNECT'],
    ['another protocol', Buffer.from('SSH-2.0-OpenSSH_9.9\r\n'), 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH before CONNACK', publishOf('a', hex('00')), 'ERR_UPLINK_PROTOCOL'],
    ['a PUBACK before CONNACK', '40 02 0001', 'ERR_UPLINK_PROTOCOL'],
    ['a CONNACK of another length', '20 03 000000', 'ERR_UPLINK_PROTOCOL'],
    ['half a CONNACK', '20 02 00', 'ERR_UPLINK_CONNECT'],
    ['a CONNACK with reserved bits', '20 02 0200', 'ERR_UPLINK_CONNECT'],
    ['a CONNECT', '10 00', 'ERR_UPLINK_PROTOCOL'],
    ['a refusal and, with it, a message', '20 02 0005 32 05 0001 61 0001', 'ERR_UPLINK_CONNECT'],
    ['a CONNACK and, with it, what must not come', '20 02 0000 34 05 0001 61 0001', 'ERR_UPLINK_PROTOCOL'],
    ...[1, 2, 3, 4, 5, 6, 255].map((code): [string, Move, string] => [
      `a refusal (${code})`,
      packetOf(0x20, Uint8Array.from([0, code])),
      'ERR_UPLINK_CONNECT',
    ]),
  ])('%s gets no reading and leaves nothing behind', async (_name, connect, code) => {
    const result = await wakeAgainst(connect === undefined ? {} : { connect });
    expect(result).toMatchObject({ failed: 1, connections: 0 });
    expect(result.failure?.code).toBe(code);
    expect(hostile.packets.map(({ type }) => type)).toEqual([1]);
  });
});

describe('a head-end that answers a reading with', () => {
  const whole = publishOf('t/ores/x/down/receipt', new Uint8Array(90));

  test.each<[string, Move, string]>([
    ['an end', 'end', 'ERR_UPLINK_CLOSED'],
    ['a reset', 'destroy', 'ERR_UPLINK_CLOSED'],
    ['half a packet and an end', (socket) => socket.end(whole.subarray(0, 40)), 'ERR_UPLINK_CLOSED'],
    ['half a packet and nothing', whole.subarray(0, 40), 'ERR_UPLINK_TIMEOUT'],
    ['a PUBACK of no message', '40 02 fffe', 'ERR_UPLINK_TIMEOUT'],
    ['an empty PUBLISH', '30 03 0001 61', 'ERR_UPLINK_TIMEOUT'],
    ['the PUBACK alone', (socket, packet) => socket.write(pubackOf(packet)), 'ERR_UPLINK_RECEIPT'],
    ['a second CONNACK', CONNACK, 'ERR_UPLINK_PROTOCOL'],
    ['a SUBACK, since nothing was subscribed', '90 03 0001 00', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBREC', '50 02 0001', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBREL', '62 02 0001', 'ERR_UPLINK_PROTOCOL'],
    ['a DISCONNECT', 'e0 00', 'ERR_UPLINK_PROTOCOL'],
    ['a PINGRESP with a body', 'd0 01 00', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBACK of another length', '40 01 00', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBACK with flags', '42 02 0001', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH with QoS 2', '34 05 0001 61 0001', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH with QoS 3', '36 05 0001 61 0001', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH whose topic is longer than itself', '30 03 0005 61', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH without a topic', '30 01 00', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH that ends in its message id', '32 04 0001 61 00', 'ERR_UPLINK_PROTOCOL'],
    ['a PUBLISH with a message id of zero', '32 05 0001 61 0000', 'ERR_UPLINK_PROTOCOL'],
    ['a length of five bytes', '30 8080808001', 'ERR_UPLINK_PROTOCOL'],
    ['the head of a packet beyond the bound', packetOf(0x30, INBOUND_BYTES_MAX + 1), 'ERR_UPLINK_PROTOCOL'],
    ['the head of the largest packet that there is', '30 ffffff7f', 'ERR_UPLINK_PROTOCOL'],
  ])('%s keeps no reading from being sent again', async (_name, publish, code) => {
    const result = await wakeAgainst({ connect: CONNACK, publish });
    expect(result).toMatchObject({ failed: 1, connections: 1 });
    expect(result.failure?.code).toBe(code);
  });

  test('more than the bound is cut off long before it has sent it', async () => {
    let sent = 0;
    const flood = (socket: TLSSocket): void => {
      socket.write(packetOf(0x30, 200_000_000));
      const more = (): void => {
        while (!socket.destroyed && sent < 64 * 1024 * 1024) {
          sent += 65_536;
          if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more);
        }
      };
      more();
    };
    const result = await wakeAgainst({ connect: CONNACK, publish: flood });
    expect(result.failure?.code).toBe('ERR_UPLINK_PROTOCOL');
    expect(sent).toBeLessThan(16 * 1024 * 1024);
  });

  test('messages without end, each well formed, is left when the answer is overdue', async () => {
    const stray = publishOf(topic(), new Uint8Array(60).fill(7));
    const flood = (socket: TLSSocket): void => {
      const more = (): void => {
        while (!socket.destroyed) if (!socket.write(stray)) return void socket.once('drain', more);
      };
      more();
    };
    const result = await wakeAgainst({ connect: CONNACK, publish: flood });
    expect(result.failure?.code).toBe('ERR_UPLINK_TIMEOUT');
    expect(result.receiptsIgnored).toBeGreaterThan(10);
  });

  test('messages of QoS 1 gets its PUBACKs and no more', async () => {
    const publish = Buffer.concat([hex('32 05 0001 61 0007'), hex('32 05 0001 61 0008')]);
    const result = await wakeAgainst({ connect: CONNACK, publish });
    expect(result).toMatchObject({ receiptsIgnored: 2, failed: 1 });
    const acknowledged = hostile.packets
      .filter(({ type }) => type === 4)
      .map(({ body }) => body.toString('hex'));
    expect(acknowledged).toEqual(['0007', '0008']);
  });

  test('random bytes and packets, right and wrong, never gets a reading out of the outbox', async () => {
    const random = seededRandom(SEED, 'hostile');
    const pick = (most: number): number => Math.floor(random() * most);
    const noise = (): Buffer => Buffer.from(Uint8Array.from({ length: 1 + pick(80) }, () => pick(256)));
    const packets = [
      () => hex(CONNACK),
      () => hex('20 02 0005'),
      () => hex('40 02 0001'),
      () => hex('d0 00'),
      () => hex('32 05 0001 61 0007'),
      () => hex('32 04 0001 61 00'),
      () => hex('30 03 0005 61'),
      () => publishOf(topic(), noise()),
      () => packetOf(0x30, noise()),
      () => packetOf(0x32, noise()),
      () => packetOf(pick(256), noise()),
      noise,
    ];
    for (let round = 0; round < ROUNDS; round++) {
      const some = (): Buffer =>
        Buffer.concat(Array.from({ length: 1 + pick(5) }, () => packets[pick(packets.length)]!()));
      const connect = random() < 0.5 ? CONNACK : Buffer.concat([hex(CONNACK), some()]);
      const result = await wakeAgainst({ connect, publish: some() }, 1, 30);
      expect(result.failure?.code, `seed ${SEED}, round ${round}`).toMatch(
        /^ERR_UPLINK_(PROTOCOL|TIMEOUT|CONNECT)$/,
      );
    }
  });
});

describe('a device', () => {
  test('sends no more than its window while nobody answers, and each reading once', async () => {
    await wakeAgainst({ connect: CONNACK }, 9);
    const ids = hostile.packets.filter(({ type }) => type === 3).map(({ body }) => body.toString('hex'));
    expect(ids).toHaveLength(4);
    expect(new Set(ids).size).toBe(4);
  });

  test('says what MQTT 3.1.1 asks for: a clean session, no will, its id and nothing more', async () => {
    await wakeAgainst({ connect: '20 02 00 05' });
    const id = Buffer.from(bench.identity.device).toString('hex');
    expect(hostile.packets[0]!.body.toString('hex')).toBe(`00044d51545404020258${'0010'}${id}`);
  });

  test('that is ended while it connects leaves nothing behind', async () => {
    const device = await deviceWithReadings();
    hostile.script = {};
    const abort = new AbortController();
    const before = timers();
    const waking = device.wake(abort.signal);
    await settled(() => hostile.packets.length === 1);
    abort.abort();
    expect((await waking).failure?.code).toBe('ERR_UPLINK_ABORTED');
    await settled(() => hostile.connected === 0 && timers() <= before);
    expect([hostile.connected, getEventListeners(abort.signal, 'abort')]).toEqual([0, []]);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  test.each([
    ['that hears its goodbye and stays', true, false],
    ['that never acknowledged what it published', false, true],
  ])('does not wait for a head-end %s', async (_name, clinging, publish) => {
    hostile.script = { connect: CONNACK };
    hostile.clinging = clinging;
    const before = timers();
    const connection = await Connection.open({
      headEnd: { host: '127.0.0.1', port: hostile.port },
      identity: bench.identity,
      memory: { session: undefined },
      limits: { ...UPLINK_LIMITS, closeTimeoutMs: 50 },
      signal: new AbortController().signal,
      onMessage: () => {},
    });
    if (publish) connection.publish('t', hex('00'), () => expect.unreachable());
    await connection.close();
    hostile.clinging = false;
    await settled(() => timers() <= before);
    expect(timers()).toBeLessThanOrEqual(before);
  });
});
