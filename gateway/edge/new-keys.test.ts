import { X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type DeviceIdentity, issueDevice } from '../../pki/development/development.ts';
import { isKeyReport } from '../../protocol/command/report.ts';
import type { IdentityPort } from './device-options.ts';
import { commandBench, commandsFor, SOON } from './testing/commanded.ts';
import { deviceBench } from './testing/device.ts';
import { FARYS, ORES } from './testing/meters.ts';

/** A device with a new key-agreement key tells each of its desks, until each has said that it heard. */

const bench = deviceBench();
const { command, p1, queue, outcomes } = commandBench(bench);

interface Kept extends IdentityPort {
  now: DeviceIdentity;
  saves: number;
}

/** Where the identity of the bench's device lies after a renewal of its key. */
function renewed(): Kept {
  const { device, home, guests, agree } = bench.identity;
  const fresh = issueDevice(bench.headEnd.pki, { device, home, guests, nowMs: Date.now() });
  const kept: Kept = {
    device,
    now: { ...bench.identity, agree: fresh.agree, agreeBefore: [agree], untold: [home, ...guests] },
    saves: 0,
    load: () => kept.now,
    save(identity) {
      kept.now = identity;
      kept.saves += 1;
    },
  };
  return kept;
}

const start = (identity: IdentityPort) =>
  bench.startDevice(commandsFor(bench.identity, { everyMs: 60_000 }), { identity, limits: SOON });

const told = (): string[] =>
  bench.headEnd.reports.map((report) => {
    if (!isKeyReport(report)) throw new Error('no report of a key');
    return `${report.tenant} ${Buffer.from(report.certificate).toString('hex')}`;
  });
const bothToldOf = ({ now }: Kept): string[] => {
  const der = new X509Certificate(now.agree.certificate).raw.toString('hex');
  return [`${ORES} ${der}`, `${FARYS} ${der}`];
};

describe('a device with a new key', () => {
  test('tells its home and its guest once, and wakes for that', async () => {
    const identity = renewed();
    const device = await start(identity);
    expect(device.nextWakeMs()).toBeLessThanOrEqual(bench.clock.nowMs());
    expect(await device.wake()).toMatchObject({ results: 2, failure: null });
    expect(told()).toEqual(bothToldOf(identity));
    expect(identity.now.untold).toBeUndefined();
    expect(identity.now.agreeBefore).toHaveLength(1);
    await device.wake();
    expect(told()).toHaveLength(2);
  });

  test('tells again what it has no receipt for, by the process after this one', async () => {
    const identity = renewed();
    bench.headEnd.answerReport = ({ tenant }) => (tenant === FARYS ? 'close' : { verdict: 'delivered' });
    const first = await start(identity);
    await first.wake();
    expect(identity.now.untold).toEqual([FARYS]);
    bench.abandon(first);

    bench.headEnd.reset();
    const second = await start(identity);
    await second.wake();
    expect(told()).toEqual([bothToldOf(identity)[1]]);
    expect(identity.now.untold).toBeUndefined();
  });

  test('leaves a desk alone that refused, and asks it again after some hours', async () => {
    const identity = renewed();
    bench.headEnd.answerReport = () => ({ verdict: 'refused', code: 'identity' });
    const device = await start(identity);
    await device.wake();
    await device.wake();
    expect(told()).toHaveLength(2);
    expect(identity.now.untold).toEqual([ORES, FARYS]);
    bench.clock.advance(6 * 3_600_000 + 1);
    bench.headEnd.answerReport = () => ({ verdict: 'delivered' });
    await device.wake();
    expect(told()).toHaveLength(4);
    expect(identity.now.untold).toBeUndefined();
  });

  test('is no chatterer where its disk takes nothing, nor where its identity cannot be replaced', async () => {
    const { load, device } = renewed();
    const commanded = await start({ device, load });
    await commanded.wake();
    await commanded.wake();
    expect(told()).toHaveLength(2);
  });

  test('opens what was sealed to the key of before', async () => {
    const device = await start(renewed());
    queue(p1(false));
    expect(await device.wake()).toMatchObject({ commands: 1 });
    expect(outcomes()).toEqual(['executed']);
  });

  test('says nothing of it in airplane mode', async () => {
    const identity = renewed();
    const device = await start(identity);
    queue(command('airplane.on', {}));
    bench.headEnd.answerReport = ({ tenant }) =>
      tenant === FARYS ? { verdict: 'later', seconds: 60 } : { verdict: 'delivered' };
    await device.wake();
    expect(outcomes()).toEqual(['executed']);
    bench.headEnd.reports.length = 0;
    bench.clock.advance(3_600_000);
    expect(device.nextWakeMs()).toBeNull();
    await device.wake();
    expect(told()).toEqual([]);
    expect(identity.now.untold).toEqual([FARYS]);
  });
});
