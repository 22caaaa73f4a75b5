import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { revokeDevice } from '../../pki/development/development.ts';
import { manualClock } from '../runtime/clock.ts';
import { counted, type Door, Field, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';

const DAY_MS = 86_400_000;
const SIX_YEARS_MS = 6 * 365 * DAY_MS;

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

describe('a live session', () => {
  it.each([
    ['the front looks at its lists', { revocationPollMs: 50 }, () => undefined],
    ['the front is asked to', {}, (at: Door) => void at.front.reload()],
  ] as const)(
    'is closed when its certificate is revoked and %s; the others stay',
    async (_how, limits, hint) => {
      const at = await openDoor(field, { limits });
      door = at;
      const revoked = await Meter.ready(field.device(ORES), at.port);
      const other = await Meter.ready(field.device(ORES), at.port);
      revokeDevice(field.pki, revoked.identity, { nowMs: Date.now() });
      hint(at);
      await revoked.untilClosed();
      expect(await counted(at.counters, 'closed.revoked')).toBe(1);
      expect(other.closed).toBe(false);
    },
  );

  it('is closed when its certificate expires', async () => {
    const clock = manualClock(Date.now());
    const at = await openDoor(field, { limits: { sweepMs: 50 }, clock });
    door = at;
    const meter = await Meter.ready(field.device(ORES), at.port);
    clock.advance(SIX_YEARS_MS);
    await meter.untilClosed();
    expect(await counted(at.counters, 'closed.expired')).toBe(1);
  });

  it('is closed by a revocation even while its messages wait for their answer', async () => {
    const at = await openDoor(field);
    door = at;
    const meter = await Meter.ready(field.device(ORES), at.port);
    revokeDevice(field.pki, meter.identity, { nowMs: Date.now() });
    await at.front.reload();
    await meter.untilClosed();
    expect(at.counters.get('sessions')).toBe(0);
  });
});

describe('a front', () => {
  it('shows how long its certificate, the CAs and the lists are good for', async () => {
    const at = await openDoor(field, { clock: manualClock(Date.now() + 1_806 * DAY_MS) });
    door = at;
    const left = at.counters.snapshot();
    expect(left['certificate.days_left.server']).toBe(19);
    for (const name of [
      'certificate.days_left.root',
      'certificate.days_left.issuing.ores',
      'crl.days_left.ores',
    ])
      expect(left[name]).toBeGreaterThan(365);
  });
});

describe('a damaged revocation list', () => {
  it('leaves the one in force as it is, and is counted', async () => {
    const broken = new Field();
    const at = await openDoor(broken);
    door = at;
    const meter = await Meter.ready(broken.device(ORES), at.port);
    revokeDevice(broken.pki, meter.identity, { nowMs: Date.now() });
    writeFileSync(broken.pki.layout.crl(ORES), 'nonsense');
    await at.front.reload();
    expect(at.counters.get('crl.failures')).toBe(1);
    expect(meter.closed).toBe(false);
    await meter.leave();
    broken.remove();
  });
});
