import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS } from '../../pki/testing/field.ts';
import { makeFrontServer, type ServerPair, writeServer } from '../../pki/testing/server.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { counted, type Door, Field, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';

/** The front's own certificate is renewed while devices are connected. */

const GAUGE = 'certificate.days_left.server';

let field: Field;
let other: Field;
let device: DeviceIdentity;
let door: Door;
let before: ServerPair;
beforeAll(() => {
  field = new Field([ORES]);
  other = new Field([ORES]);
  device = field.device(ORES);
});
afterAll(() => {
  field.remove();
  other.remove();
});
beforeEach(async () => {
  before = makeFrontServer(field.pki);
  writeServer(field.pki.layout.front, before);
  // It looks when it is told to, as by SIGHUP.
  door = await openDoor(field, { tenants: [ORES], limits: { revocationPollMs: 3_600_000 } });
});
afterEach(() => door.stop());

/** Nothing on a session that is resumed: there, no certificate is shown. */
const shownTo = ({ socket }: Meter): string | undefined =>
  socket.getPeerX509Certificate()?.raw.toString('base64');
const leafOf = ({ cert }: ServerPair): string => new X509Certificate(cert).raw.toString('base64');
const gauge = (): number => door.counters.snapshot()[GAUGE]!;

async function withSession(): Promise<Meter> {
  const meter = await Meter.ready(device, door.port);
  await meter.until(() => meter.session !== undefined);
  return meter;
}

async function comesBack(
  session?: Buffer,
): Promise<{ readonly shown: string | undefined; readonly resumed: boolean }> {
  const meter = await Meter.ready(device, door.port, session === undefined ? {} : { session });
  const seen = { shown: shownTo(meter), resumed: meter.socket.isSessionReused() };
  await meter.leave();
  return seen;
}

describe('a front whose certificate was renewed', () => {
  it('shows it to whoever connects, while those that are connected stay', async () => {
    const standing = await Meter.ready(field.device(ORES), door.port);
    const renewed = makeFrontServer(field.pki, { notAfterMs: Date.now() + 9.5 * DAY_MS });
    expect(gauge()).toBe(364);
    writeServer(field.pki.layout.front, renewed);
    expect((await comesBack()).shown).toBe(leafOf(before));
    await door.front.reload();
    expect((await comesBack()).shown).toBe(leafOf(renewed));
    expect(gauge()).toBe(9);
    expect(standing.closed).toBe(false);
    expect(shownTo(standing)).toBe(leafOf(before));
    expect(door.front.presence.find(ORES, standing.identity.device)).toBeDefined();
  });

  it('resumes the sessions of before, and those of after', async () => {
    const old = await withSession();
    await old.leave();
    expect((await comesBack(old.session)).resumed).toBe(true);
    writeServer(field.pki.layout.front, makeFrontServer(field.pki));
    await door.front.reload();
    expect((await comesBack(old.session)).resumed).toBe(true);
    const young = await withSession();
    await young.leave();
    expect((await comesBack(young.session)).resumed).toBe(true);
    expect(await counted(door.counters, 'handshakes.resumed', 3)).toBe(3);
  });

  it('asks for client certificates as before: a stranger does not get in', async () => {
    writeServer(field.pki.layout.front, makeFrontServer(field.pki));
    await door.front.reload();
    const stranger = { ...other.device(ORES), root: device.root };
    const meter = new Meter(stranger, door.port);
    await meter.untilClosed();
    expect(door.front.presence.size).toBe(0);
    expect((await comesBack()).resumed).toBe(false);
  });

  it('takes it at its poll, too', async () => {
    await door.stop();
    door = await openDoor(field, { tenants: [ORES], limits: { revocationPollMs: 1_000 } });
    const renewed = makeFrontServer(field.pki, { notAfterMs: Date.now() + 9.5 * DAY_MS });
    writeServer(field.pki.layout.front, renewed);
    await expect.poll(async () => (await comesBack()).shown, { timeout: 20_000 }).toBe(leafOf(renewed));
  }, 30_000);
});

describe('a pair that cannot be taken', () => {
  const layout = () => field.pki.layout;
  it.each<[string, () => void]>([
    ['is half written', () => writeFileSync(layout().front.certificate, before.cert.slice(0, 300))],
    [
      'has a certificate of another key',
      () => writeFileSync(layout().front.certificate, makeFrontServer(field.pki).cert),
    ],
    ['has no key that is one', () => writeFileSync(layout().front.key, '')],
    ['is of another head-end', () => writeServer(layout().front, makeFrontServer(other.pki))],
    [
      'is past its end',
      () =>
        writeServer(
          layout().front,
          makeFrontServer(field.pki, {
            notBeforeMs: Date.now() - 2 * DAY_MS,
            notAfterMs: Date.now() - 1_000,
          }),
        ),
    ],
    [
      'is not valid yet',
      () => writeServer(layout().front, makeFrontServer(field.pki, { notBeforeMs: Date.now() + DAY_MS })),
    ],
    [
      'is of a device',
      () =>
        writeServer(layout().front, {
          cert: device.tls.certificate + readFileSync(layout().issuing(ORES).certificate, 'utf8'),
          key: device.tls.key,
        }),
    ],
  ])('since it %s changes nothing', async (_, write) => {
    write();
    await door.front.reload();
    expect((await comesBack()).shown).toBe(leafOf(before));
    expect(gauge()).toBe(364);
    // And the right one is taken after it.
    const renewed = makeFrontServer(field.pki);
    writeServer(layout().front, renewed);
    await door.front.reload();
    expect((await comesBack()).shown).toBe(leafOf(renewed));
  });
});
