import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeReceipt } from '../../../protocol/receipt.ts';
import { dayAfter } from '../days/calendar.ts';
import { DAY, deviceBench, live, liveDays } from '../testing/device.ts';
import { FakeHeadEnd } from '../testing/head-end.ts';
import { ORES } from '../testing/meters.ts';

const bench = deviceBench();
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('a device keeps its reading', () => {
  test.each([
    ['is closed without an answer', 'close', 'ERR_UPLINK_CLOSED', 0],
    ['does not answer in time', 'silence', 'ERR_UPLINK_TIMEOUT', 0],
    ['is acknowledged without a receipt', 'puback-only', 'ERR_UPLINK_RECEIPT', 0],
    [
      'gets a receipt with an altered byte',
      {
        raw: (bytes: Uint8Array) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1),
        verdict: { verdict: 'delivered' },
      },
      'ERR_UPLINK_RECEIPT',
      1,
    ],
    [
      'gets a receipt of its owner for another sequence',
      {
        raw: (_bytes: Uint8Array, receiptKey: Uint8Array) =>
          makeReceipt(receiptKey, {
            tenant: ORES,
            device: bench.identity.device,
            sequence: DAY.ordinal + 1,
            time: Math.floor(Date.now() / 1000),
            verdict: 'delivered',
          }),
        verdict: { verdict: 'delivered' },
      },
      'ERR_UPLINK_RECEIPT',
      1,
    ],
    [
      'gets rubbish for a receipt',
      { raw: () => new Uint8Array(200).fill(0x9f), verdict: { verdict: 'delivered' } },
      'ERR_UPLINK_RECEIPT',
      1,
    ],
  ] as const)('when it %s', async (_name, answer, failure, ignored) => {
    const device = bench.openDevice();
    await liveDays(device, 1, { guest: false });
    bench.headEnd.answer = () => answer;
    const result = await device.wake();
    expect(result).toMatchObject({ delivered: 0, failed: 1, receiptsIgnored: ignored });
    expect(result.failure).toEqual(code(failure));
    expect(device.pending()).toBe(1);
    expect(device.nextWakeMs()).not.toBeNull();
    bench.headEnd.held = 0;
  });

  test('when the receipt is for another reading of its own', async () => {
    const device = bench.openDevice();
    await liveDays(device, 2, { guest: false });
    const receipts: Uint8Array[] = [];
    bench.headEnd.answer = () => ({
      verdict: { verdict: 'delivered' },
      raw: (bytes) => {
        receipts.push(bytes);
        return receipts[0]!;
      },
    });
    const result = await device.wake();
    expect(result).toMatchObject({ delivered: 1, failed: 1, receiptsIgnored: 1 });
    expect(device.pending()).toBe(1);
  });

  test('when there is no head-end, or one that the root did not certify', async () => {
    const nobody = bench.openDevice({ headEnd: { host: '127.0.0.1', port: 1 } });
    await liveDays(nobody, 1, { guest: false });
    expect(await nobody.wake()).toMatchObject({
      failed: 1,
      failure: code('ERR_UPLINK_CONNECT'),
      connections: 0,
    });
    expect(nobody.pending()).toBe(1);
    await nobody.close();
    const other = await FakeHeadEnd.start(join(mkdtempSync(join(bench.home, 'other-')), 'pki'), [ORES]);
    const stranger = bench.openDevice({ headEnd: { host: '127.0.0.1', port: other.port } });
    const result = await stranger.wake();
    expect(result.failure).toEqual(code('ERR_UPLINK_CONNECT'));
    expect(other.received).toEqual([]);
    await other.stop();
  });

  test('when the head-end refuses it, and forgets the TLS session that may be to blame', async () => {
    const device = bench.openDevice({ limits: { schedule: { backoffBaseMs: 1 } } });
    await liveDays(device, 1, { guest: false });
    await device.wake();
    await liveDays(device, 1, { guest: false });
    live(device, dayAfter(DAY), { guest: false });
    await device.closeDay();
    bench.headEnd.refusing = true;
    const refused = await device.wake();
    bench.headEnd.refusing = false;
    expect(refused).toMatchObject({ failed: 1, connections: 0, failure: code('ERR_UPLINK_CONNECT') });
    expect(refused.failure!.message).toContain('Not authorized');
    expect(bench.headEnd.received).toHaveLength(1);
    bench.clock.advance(10);
    expect(await device.wake()).toMatchObject({ delivered: 1, resumed: 0 });
    expect(bench.headEnd.handshakes.map(({ resumed }) => resumed)).toEqual([false, true, false]);
  });

  test.each([
    ['says nothing', () => {}],
    ['speaks something else', (socket: Socket) => socket.write('SSH-2.0-OpenSSH_9.9\r\n')],
    ['hangs up', (socket: Socket) => socket.destroy()],
  ])('when what answers at the address %s', async (_name, behave) => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      behave(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const device = bench.openDevice({
      headEnd: { host: '127.0.0.1', port },
      limits: { uplink: { connectTimeoutMs: 100 } },
    });
    await liveDays(device, 1, { guest: false });
    expect(await device.wake()).toMatchObject({ failed: 1, failure: code('ERR_UPLINK_CONNECT') });
    expect(device.pending()).toBe(1);
    server.close();
  });

  test('when the head-end lets it connect and never accepts it', async () => {
    const silent = await FakeHeadEnd.listen(bench.headEnd.pki);
    silent.mute = true;
    const device = bench.openDevice({
      headEnd: { host: '127.0.0.1', port: silent.port },
      limits: { uplink: { connectTimeoutMs: 150 } },
    });
    await liveDays(device, 1, { guest: false });
    expect(await device.wake()).toMatchObject({ failed: 1, failure: code('ERR_UPLINK_CONNECT') });
    await silent.stop();
  });

  test('when the wake is ended from outside, at once', async () => {
    const device = bench.openDevice({ limits: { uplink: { answerTimeoutMs: 60_000 } } });
    await liveDays(device, 1, { guest: false });
    bench.headEnd.answer = () => 'silence';
    const abort = new AbortController();
    const waking = device.wake(abort.signal);
    while (bench.headEnd.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    expect(await waking).toMatchObject({ failed: 1, failure: code('ERR_UPLINK_ABORTED') });
    expect(device.pending()).toBe(1);
    // Nobody was at fault: the owner is not made to wait.
    bench.headEnd.answer = () => ({ verdict: 'duplicate' });
    bench.headEnd.held = 0;
    expect(await device.wake()).toMatchObject({ duplicates: 1, failure: null });
  });

  test('when it is told to come back later, and then comes back no earlier', async () => {
    const device = bench.openDevice();
    await liveDays(device, 3, { guest: false });
    bench.headEnd.answer = () => ({ verdict: 'later', seconds: 300 });
    const before = bench.clock.nowMs();
    expect(await device.wake()).toMatchObject({ delivered: 0, later: 3, failed: 0, failure: null });
    const next = device.nextWakeMs()!;
    expect(next).toBeGreaterThanOrEqual(before + 300_000);
    expect(next).toBeLessThanOrEqual(before + 450_000);
    const sent = bench.headEnd.received.length;
    expect(await device.wake()).toMatchObject({ connections: 0, later: 0 });
    expect(bench.headEnd.received).toHaveLength(sent);
    bench.headEnd.answer = () => ({ verdict: 'delivered' });
    bench.clock.set(next);
    expect(await device.wake()).toMatchObject({ delivered: 3 });
    expect(device.nextWakeMs()).toBeNull();
  });

  test('parked when its owner refuses it: not sent again, the next ones are', async () => {
    const device = bench.openDevice();
    await liveDays(device, 3, { guest: false });
    bench.headEnd.answer = ({ day }) =>
      day === DAY.name ? { verdict: 'refused', code: 'schema' } : { verdict: 'delivered' };
    expect(await device.wake()).toMatchObject({ delivered: 2, refused: 1 });
    expect([device.pending(), device.parked(), device.nextWakeMs()]).toEqual([0, 1, null]);
    expect(await device.wake()).toMatchObject({ connections: 0 });
    expect(bench.counters.get('edge.refused')).toBe(1);
  });
});
