import { type Socket, connect as tcpConnect } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeDevice } from '../../pki/development/development.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { manualClock } from '../runtime/clock.ts';
import type { Refusal } from './reasons.ts';
import { counted, type Door, Field, ORES, openDoor, TENANTS } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';
import { connect } from './testing/wire.ts';

const DAY_MS = 86_400_000;
const SIX_YEARS_MS = 6 * 365 * DAY_MS;

let field: Field;
let stranger: Field;
let door: Door;
let device: DeviceIdentity;

beforeAll(async () => {
  field = new Field();
  stranger = new Field();
  device = field.device(ORES);
  door = await openDoor(field, { limits: { handshakeTimeoutMs: 300 } });
});
afterAll(async () => {
  await door.stop();
  field.remove();
  stranger.remove();
});

async function expectRefused(reason: Refusal, act: () => Promise<unknown>, at = door): Promise<void> {
  const before = at.counters.get(`refused.${reason}`);
  await act();
  expect(await counted(at.counters, `refused.${reason}`, before + 1)).toBe(before + 1);
  expect(at.counters.get('handshakes')).toBe(0);
}

/** Try to get in with another certificate; the other side always sees the connection closed. */
async function tryWith(options: ConnectionOptions, port = door.port): Promise<void> {
  const meter = new Meter(device, port, options);
  meter.socket.on('secureConnect', () => meter.send(connect({ clientId: device.device })));
  await meter.untilClosed();
  expect(meter.received).toHaveLength(0);
}

/** A TCP connection without TLS of its own, until the front closes it. */
async function plain(act: (socket: Socket) => void): Promise<void> {
  const socket = tcpConnect(door.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.on('connect', () => act(socket));
  socket.resume();
  await new Promise((resolve) => socket.on('close', resolve));
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is refused', (version) => {
  const only: ConnectionOptions = { minVersion: version, maxVersion: version };
  const credentials = (
    identity: DeviceIdentity,
    use: 'tls' | 'sign' | 'agree' = 'tls',
  ): ConnectionOptions => ({
    ...only,
    key: identity[use].key,
    cert: identity[use].certificate,
  });

  it('without a certificate', () =>
    expectRefused('certificate-missing', () => tryWith({ ...only, key: undefined, cert: undefined })));

  it('with a certificate of another root', () =>
    expectRefused('certificate-untrusted', () => tryWith(credentials(stranger.device(ORES)))));

  it('with a certificate that has expired', () =>
    expectRefused('certificate-expired', () =>
      tryWith(credentials(field.device(ORES, { nowMs: Date.now() - SIX_YEARS_MS }))),
    ));

  it('with a certificate that is not valid yet', () =>
    expectRefused('certificate-early', () =>
      tryWith(credentials(field.device(ORES, { nowMs: Date.now() + 30 * DAY_MS }))),
    ));

  it("with the device's signature certificate", () =>
    expectRefused('certificate-profile', () => tryWith(credentials(device, 'sign'))));

  it("with the device's key agreement certificate", () =>
    expectRefused('certificate-profile', () => tryWith(credentials(device, 'agree'))));

  it('with a certificate that was revoked', async () => {
    const revoked = field.device(ORES);
    revokeDevice(field.pki, revoked, { nowMs: Date.now() });
    await door.front.reload();
    await expectRefused('certificate-revoked', () => tryWith(credentials(revoked)));
  });

  it('with a session from before the certificate was revoked', async () => {
    const soonRevoked = field.device(ORES);
    const before = await Meter.ready(soonRevoked, door.port, only);
    await before.until(() => before.session !== undefined);
    await before.leave();
    const { session } = before;
    revokeDevice(field.pki, soonRevoked, { nowMs: Date.now() });
    await door.front.reload();
    await expectRefused('certificate-revoked', () =>
      tryWith({ ...credentials(soonRevoked), session: session! }),
    );
  });

  it('with a session that outlived its certificate', async () => {
    const clock = manualClock(Date.now());
    const later = await openDoor(field, { clock });
    const before = await Meter.ready(device, later.port, only);
    await before.until(() => before.session !== undefined);
    await before.leave();
    clock.advance(SIX_YEARS_MS);
    await expectRefused(
      'certificate-expired',
      () => tryWith({ ...only, session: before.session! }, later.port),
      later,
    );
    await later.stop();
  });

  it('no longer once the certificate is right: it lets the device in and resumes its session', async () => {
    const full = door.counters.get('handshakes.full');
    const resumed = door.counters.get('handshakes.resumed');
    const first = await Meter.ready(device, door.port, only);
    await first.until(() => first.session !== undefined);
    await first.leave();
    const second = await Meter.ready(device, door.port, { ...only, session: first.session! });
    expect(second.socket.isSessionReused()).toBe(true);
    expect(second.socket.getProtocol()).toBe(version);
    await second.leave();
    expect(door.counters.get('handshakes.full')).toBe(full + 1);
    expect(door.counters.get('handshakes.resumed')).toBe(resumed + 1);
  });
});

describe('the listener refuses', () => {
  it.each([
    ['MQTT without TLS', connect({ clientId: '0123456789abcdef' })],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s', async (_what, sent) => {
    await expectRefused('plaintext', () => plain((socket) => socket.write(sent)));
  });

  it('TLS 1.1', async () => {
    await expectRefused('tls-version', () =>
      tryWith({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    );
  });

  it('a TLS 1.2 client that knows no forward secrecy', async () => {
    await expectRefused('tls-aborted', () =>
      tryWith({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256' }),
    );
  });

  it('a connection that stays silent', async () => {
    await expectRefused('handshake-timeout', () => plain(() => undefined));
  });

  it('a handshake that trickles in', async () => {
    let timer: NodeJS.Timeout | undefined;
    await expectRefused('handshake-timeout', () =>
      plain((socket) => {
        // The head of a ClientHello record of 16 KiB, then a byte at a time.
        socket.write(Buffer.from('16030140000100', 'hex'));
        timer = setInterval(() => socket.write(Buffer.of(0)), 20);
      }),
    );
    clearInterval(timer);
  });

  it('a handshake that is broken off', async () => {
    await expectRefused('tls-aborted', () => plain((socket) => socket.end(Buffer.from('1603010005', 'hex'))));
  });
});

describe('TLS', () => {
  it('agrees on X25519 with a client that offers it, and on P-256 with one that does not', async () => {
    for (const group of ['X25519', 'P-256']) {
      const meter = await Meter.ready(device, door.port, { ecdhCurve: group });
      expect(meter.socket.getEphemeralKeyInfo()).toMatchObject({
        name: group === 'P-256' ? 'prime256v1' : 'X25519',
      });
      await meter.leave();
    }
  });

  it('shows a server certificate that holds against the field root alone', async () => {
    const meter = await Meter.ready(device, door.port);
    expect(meter.socket.authorized).toBe(true);
    await meter.leave();
  });

  it('knows nothing of tenants that are not configured: their devices are strangers', async () => {
    const small = await openDoor(field, { tenants: TENANTS.slice(1) });
    await expectRefused('certificate-untrusted', () => tryWith({}, small.port), small);
    await small.stop();
  });
});
