import { mkdtempSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../runtime/random.ts';
import { dayAfter } from '../days/calendar.ts';
import { DAY, deviceBench, live, liveDays } from '../testing/device.ts';
import { FakeHeadEnd } from '../testing/head-end.ts';

const bench = deviceBench();
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('the way', () => {
  test('is oldest first, a few at once, and a backlog of 60 days goes in one connection', async () => {
    const device = bench.openDevice({ limits: { uplink: { window: 3 } } });
    await liveDays(device, 60, { guest: false });
    expect(await device.wake()).toMatchObject({ delivered: 60, connections: 1 });
    expect(bench.headEnd.received.map(({ day }) => day)).toEqual(
      Array.from({ length: 60 }, (_, index) => dayAfter(DAY, index).name),
    );
    expect(bench.headEnd.heldMax).toBe(3);
    expect(bench.headEnd.connected).toBe(0);
  });

  test('resumes its TLS session from one wake to the next, and not from a process before', async () => {
    const device = bench.openDevice();
    await liveDays(device, 1, { guest: false });
    expect((await device.wake()).resumed).toBe(0);
    live(device, dayAfter(DAY), { guest: false });
    await device.closeDay();
    expect((await device.wake()).resumed).toBe(1);
    expect(bench.headEnd.handshakes).toEqual([{ resumed: false }, { resumed: true }]);
    await device.close();
    const again = bench.openDevice();
    live(again, dayAfter(DAY, 2), { guest: false });
    await again.closeDay();
    expect((await again.wake()).resumed).toBe(0);
  });

  test('goes on with a full handshake when the head-end was replaced and knows no session', async () => {
    const first = await FakeHeadEnd.listen(bench.headEnd.pki);
    const device = bench.openDevice({ headEnd: { host: '127.0.0.1', port: first.port } });
    await liveDays(device, 1, { guest: false });
    expect(await device.wake()).toMatchObject({ delivered: 1 });
    await first.stop();
    const second = await FakeHeadEnd.listen(bench.headEnd.pki, first.port);
    live(device, dayAfter(DAY), { guest: false });
    await device.closeDay();
    expect(await device.wake()).toMatchObject({ delivered: 1, resumed: 0, failure: null });
    await second.stop();
  });

  test('ends with the device: close() cuts a wake and waits for it', async () => {
    const device = bench.openDevice({ limits: { uplink: { answerTimeoutMs: 60_000 } } });
    await liveDays(device, 1, { guest: false });
    bench.headEnd.answer = () => 'silence';
    const waking = device.wake();
    while (bench.headEnd.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await device.close();
    bench.headEnd.held = 0;
    expect(await waking).toMatchObject({ failure: code('ERR_UPLINK_ABORTED') });
    expect(() => device.wake()).toThrow(code('ERR_EDGE_CLOSED'));
    expect(readdirSync(bench.directory)).toEqual(['outbox']);
  });

  test('is spread over the jitter window after midnight, by the seed', async () => {
    const wakes: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      bench.directory = mkdtempSync(join(bench.home, 'jitter-'));
      const device = bench.openDevice({
        random: seededRandom(seed, 'jitter'),
        limits: { schedule: { jitterMs: 3_600_000 } },
      });
      expect(device.nextWakeMs()).toBeNull();
      live(device, DAY, { guest: false });
      await device.closeDay();
      wakes.push(device.nextWakeMs()! - bench.clock.nowMs());
    }
    expect(Math.min(...wakes)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...wakes)).toBeLessThan(3_600_000);
    const quarters = new Set(wakes.map((ms) => Math.floor(ms / 900_000)));
    expect(quarters.size).toBe(4);
  });

  test('backs off with jitter, up to its bound, while nobody answers', async () => {
    const schedule = { backoffBaseMs: 1_000, backoffMaxMs: 8_000 };
    const device = bench.openDevice({ headEnd: { host: '127.0.0.1', port: 1 }, limits: { schedule } });
    await liveDays(device, 1, { guest: false });
    const delays: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      await device.wake();
      delays.push(device.nextWakeMs()! - bench.clock.nowMs());
      bench.clock.set(device.nextWakeMs()!);
    }
    delays.forEach((delay, attempt) => {
      expect(delay).toBeLessThanOrEqual(Math.min(8_000, 1_000 * 2 ** attempt));
    });
    expect(Math.max(...delays)).toBeGreaterThan(2_000);
  });
});
