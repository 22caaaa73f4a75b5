import { describe, expect, test, vi } from 'vitest';
import { CREDENTIALS } from '../../../pki/enrolment/request.ts';
import { readCertificateRequest } from '../../../pki/enrolment/request-check.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { parseCertificate } from '../../../pki/x509/certificate.ts';
import { certify } from '../../../pki/x509/certify.ts';
import { derOf, toPem } from '../../../pki/x509/pem.ts';
import { deviceUri } from '../../../protocol/identity.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { EdgeDevice, EdgeDeviceOptions } from '../device.ts';
import type { Hardware } from '../operations/step.ts';
import { commandBench, commandsFor, Office, sealFor } from '../testing/commanded.ts';
import { DAY, deviceBench, live } from '../testing/device.ts';
import { filesInMemory, identityInMemory } from '../testing/memory.ts';
import { FARYS, IMPORT_DAY, meter, ORES, register, snapshot } from '../testing/meters.ts';
import { Renewal } from './renewal.ts';
import type { RenewalServer } from './server.ts';

/** A device whose keys are renewed while it delivers readings and takes commands, against a head-end over TLS. */

const bench = deviceBench();
const { command, queue, outcomes } = commandBench(bench);

/** The CA of the head-end's development PKI: it certifies whatever key is asked for, as its register would. */
const server: RenewalServer = {
  connect: ({ device, home, guests }) => ({
    authorities: async () => ({
      certificates: [bench.headEnd.pki.authorities.get(home)!.certificate.der],
      serverMs: bench.clock.nowMs(),
    }),
    reenroll: async (name, request) =>
      certify(bench.headEnd.pki.authorities.get(home)!, {
        profile: CREDENTIALS[name],
        subject: { commonName: device },
        names: { uris: [home, ...guests].map((tenant) => deviceUri(tenant, device)) },
        spki: readCertificateRequest(toPem('CERTIFICATE REQUEST', request)).spki,
        notBeforeMs: bench.clock.nowMs() - 60_000,
      }),
    close: () => undefined,
  }),
};

function renewable(identity: DeviceIdentity = bench.identity) {
  const port = identityInMemory(identity);
  const renewal = new Renewal({
    file: '/identity.json',
    identity: port,
    server,
    development: true,
    clock: bench.clock,
    random: seededRandom('renewal'),
    log: silentLog,
    counters: bench.counters,
    files: filesInMemory(),
  });
  const hardware: Hardware = {
    perform: (action) => (action.kind === 'credential' ? renewal.perform(action.key) : 'done'),
    standing: () => undefined,
  };
  const extra: Partial<EdgeDeviceOptions> = { identity: port, renewal };
  return { port, renewal, hardware, extra };
}

const show = (device: EdgeDevice, quarters: number): void => {
  for (let quarter = 0; quarter <= quarters; quarter += 1)
    device.observe(
      snapshot(DAY.start + quarter * 900, [
        meter([register(IMPORT_DAY, 1_000_000 + quarter)], { serial: 'A' }),
      ]),
    );
};

describe('a device whose keys are renewed', () => {
  test('by a command goes over to the new certificate by a connection of its own, and resumes that one', async () => {
    const { extra, hardware, port } = renewable();
    const commands = { ...commandsFor(bench.identity, { stay: true }), hardware };
    const limits = { schedule: { backoffBaseMs: 1 } };
    const device = await bench.startDevice(commands, { ...extra, limits });
    await device.wake();
    const before = bench.headEnd.handshakes.length;
    queue(command('credential.renew', { key: 'tls' }));
    bench.headEnd.dispatch(ORES, bench.identity.device);
    await vi.waitFor(() => expect(outcomes()).toEqual(['executed']));
    await vi.waitFor(() => expect(device.connected).toBe(false));
    expect(port.load().tls.key).not.toBe(bench.identity.tls.key);
    // It stays connected: so the next wake is worth it at once.
    expect(device.nextWakeMs()).toBeLessThanOrEqual(bench.clock.nowMs() + 1);
    expect(await device.wake()).toMatchObject({ connections: 1, resumed: 0, failure: null });
    expect(bench.headEnd.handshakes.slice(before)).toEqual([{ resumed: false }]);
    device.setStay(false);
    await vi.waitFor(() => expect(device.connected).toBe(false));
    live(device, DAY);
    await device.closeDay();
    expect(await device.wake()).toMatchObject({ connections: 1, resumed: 1, delivered: 2 });
  });

  test('takes commands that were sealed to the key before, and to the new one, over one connection', async () => {
    const { extra, hardware, port, renewal } = renewable();
    const commands = { ...commandsFor(bench.identity, { stay: true }), hardware };
    const device = await bench.startDevice(commands, extra);
    await device.wake();
    expect(await renewal.perform('agree')).toBe('done');
    const now = port.load();
    const office = new Office(bench.headEnd.pki, bench.clock);
    for (const identity of [bench.identity, now, bench.identity]) {
      const one = command('read.now', { registers: [] });
      bench.headEnd.send(ORES, now.device, sealFor(identity, ORES, office.sign(one)));
    }
    await vi.waitFor(() => expect(outcomes()).toHaveLength(3));
    expect(device.connected).toBe(true);
    expect(bench.counters.snapshot()).not.toHaveProperty(['edge.command.unopened.ERR_ENVELOPE_KID']);
  });

  test.each(['and the process ends at once', 'and the day goes on'])(
    'finds its running day again, which it kept under the key before, %s',
    async (what) => {
      const { extra, renewal } = renewable();
      const options = { ...extra, checkpoint: true };
      const first = bench.openDevice(options);
      show(first, 8);
      await vi.waitFor(() => expect(bench.counters.snapshot()['edge.checkpoint.written']).toBeGreaterThan(0));
      expect(await renewal.perform('agree')).toBe('done');
      if (what === 'and the day goes on') show(first, 12);
      await first.close();
      const second = bench.openDevice(options);
      expect(second.restored).toBe('restored');
    },
  );

  test('too late keeps its days open, and delivers all of them once it has a certificate again', async () => {
    const pki = bench.headEnd.pki;
    const { device, home, guests } = bench.identity;
    const { spki } = parseCertificate(derOf('CERTIFICATE', bench.identity.sign.certificate));
    const ended = certify(pki.authorities.get(home)!, {
      profile: CREDENTIALS.sign,
      subject: { commonName: device },
      names: { uris: [home, ...guests].map((tenant) => deviceUri(tenant, device)) },
      spki,
      notBeforeMs: bench.clock.nowMs() - 7_200_000,
      notAfterMs: bench.clock.nowMs() - 3_600_000,
    });
    const sign = { ...bench.identity.sign, certificate: toPem('CERTIFICATE', ended) };
    const { extra, renewal } = renewable({ ...bench.identity, sign });
    const edge = bench.openDevice(extra);
    live(edge, DAY);
    await expect(edge.closeDay()).rejects.toMatchObject({ code: 'ERR_TRUST_EXPIRED' });
    expect(edge.due()).toHaveLength(2);
    expect(await renewal.perform('sign')).toBe('done');
    await edge.closeDay();
    expect(await edge.wake()).toMatchObject({ delivered: 2, refused: 0 });
    expect(bench.headEnd.received.map(({ tenant }) => tenant).sort()).toEqual([FARYS, ORES]);
  });
});
