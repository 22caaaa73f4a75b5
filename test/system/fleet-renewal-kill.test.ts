import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import { dayNamed } from '../../gateway/edge/days/calendar.ts';
import { Office, sealFor } from '../../gateway/edge/testing/commanded.ts';
import { FakeHeadEnd } from '../../gateway/edge/testing/head-end.ts';
import { systemClock } from '../../gateway/runtime/clock.ts';
import { randomInteger, randomPick, seededRandom } from '../../gateway/runtime/random.ts';
import { planFleet } from '../../meter-emulator/fleet.ts';
import { provisionFleet } from '../../meter-emulator/provision.ts';
import { tenantAuthorities } from '../../pki/ca/open.ts';
import { deviceIdentityFile } from '../../pki/files/layout.ts';
import { type DeviceIdentity, readDeviceIdentity } from '../../pki/identity.ts';
import { createDeviceTrust } from '../../pki/trust.ts';
import { toPem } from '../../pki/x509/pem.ts';
import type { Command } from '../../protocol/command/command.ts';
import { isKeyReport } from '../../protocol/command/report.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { Hes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';

/**
 * A fleet that is told to renew its keys and is killed in the middle of it, again and again. Fleet and CA are processes
 * as `npm start` has them; the desk is a test that seals to the key that it was told of last.
 */
const KILLS = Number(process.env['HES_KILLS'] ?? 9);
const SEED = Number(process.env['HES_SEED'] ?? 31);

const ORES = 'ores' as TenantId;
const METERS = 4;
/** Without gas behind it each device has one stream, so a hole in its days is one of the fleet. */
const TENANTS = [{ id: ORES, name: 'ORES', media: ['electricity'] as const }];
const SECONDS_PER_DAY = 4;
/** A renewal takes some tens of milliseconds from the command's arrival to its result. */
const KILLED_WITHIN_MS = 120;
const WITHIN_MS = 120_000;

const KEYS = ['tls', 'sign', 'agree'] as const;

let directory: string;
let headEnd: FakeHeadEnd;
let ca: Hes;
let fleetFile: string;
const { devices } = planFleet({ seed: 3, meters: METERS, tenants: TENANTS });
const first = new Map<DeviceId, DeviceIdentity>();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hes-fleet-renewal-'));
  headEnd = await FakeHeadEnd.start(join(directory, 'pki'), [ORES]);
  const { pki } = headEnd;
  await provisionFleet({ devices, data: directory, pki, nowMs: Date.now() });
  for (const { id } of devices) first.set(id, identityOf(id));
  const [port] = await freePorts(1);
  const written = (name: string, config: object): string => {
    writeFileSync(join(directory, name), JSON.stringify(config));
    return join(directory, name);
  };
  const listen = { ports: { [ORES]: port } };
  const caFile = written('ca.json', { pki: pki.layout.directory, tls: pki.layout.front, listen });
  fleetFile = written('fleet.json', {
    data: directory,
    front: { host: '127.0.0.1', port: headEnd.port, servername: 'localhost' },
    source: {
      kind: 'emulated',
      seed: 3,
      meters: METERS,
      tenants: TENANTS.map(({ id, media }) => ({ id, media })),
    },
    run: { kind: 'continuous', jitterHours: 0 },
    clock: {
      kind: 'simulated',
      originMs: Date.parse('2026-06-15T09:50:00Z'),
      startedAtMs: Date.now(),
      speed: 86_400 / SECONDS_PER_DAY,
    },
    limits: { retryBaseMs: 20, retryMaxMs: 200 },
    renewal: { servers: { [ORES]: `https://127.0.0.1:${port}` }, servername: 'localhost' },
  });
  ca = new Hes(['dev-ca', '--config', caFile]);
  await until('the CA runs', () => `${ca.stdout}${ca.stderr}`.includes('"ready"'), WITHIN_MS - 10_000);
}, WITHIN_MS);

afterAll(async () => {
  ca.kill('SIGTERM', 'alone');
  await ca.end();
  await headEnd.stop();
  rmSync(directory, { recursive: true });
}, WITHIN_MS);

const identityOf = (device: DeviceId): DeviceIdentity =>
  readDeviceIdentity(deviceIdentityFile(join(directory, 'devices'), device));

/** As the desk knows the device: by the certificate that it was told of last. */
function known(device: DeviceId): DeviceIdentity {
  const told = headEnd.reports.filter((report) => isKeyReport(report) && report.device === device).at(-1);
  const identity = first.get(device)!;
  if (told === undefined || !isKeyReport(told)) return identity;
  return { ...identity, agree: { ...identity.agree, certificate: toPem('CERTIFICATE', told.certificate) } };
}

/** A CA that is slow to answer is no end of a command: it comes again, as a desk does it. */
const outcomesOf = (id: string) =>
  headEnd.results
    .map(({ outcome }) => outcome)
    .filter(({ command, code }) => command === id && code !== 'busy');
const answered = (id: string): boolean => outcomesOf(id).length > 0;
const indexesOf = (device: DeviceId) =>
  headEnd.received.filter((index) => index.device === device).map(({ day }) => dayNamed(day).ordinal);

describe(`a fleet that is killed ${KILLS} times while its devices renew (HES_KILLS=${KILLS} HES_SEED=${SEED} is this schedule)`, () => {
  test('ends with one working identity for each, every command executed once, and no day missing', {
    timeout: WITHIN_MS + KILLS * 20_000,
  }, async () => {
    const random = seededRandom('fleet-renewal-kill', SEED);
    const office = new Office(headEnd.pki, systemClock);
    const orders: Command[] = [];
    let written = Promise.withResolvers<void>();
    // A desk that keeps asking until it has an answer: one command of a device at a time.
    headEnd.dispatch = (tenant, device) => {
      const next = orders.find((order) => order.device === device && !answered(order.id));
      if (next === undefined) return;
      headEnd.send(tenant, device, sealFor(known(device), tenant, office.sign(next)));
      written.resolve();
    };
    const order = (device: DeviceId): Command => {
      const command = office.command(device, 'credential.renew', { key: randomPick(random, KEYS) });
      orders.push(command);
      return command;
    };

    let fleet = new Hes(['fleet', '--config', fleetFile]);
    try {
      for (let kill = 0; kill < KILLS; kill++) {
        written = Promise.withResolvers();
        const { id } = randomPick(random, devices);
        order(id);
        if (headEnd.isAwake(ORES, id)) headEnd.dispatch(ORES, id);
        await written.promise;
        await delay(randomInteger(random, 0, KILLED_WITHIN_MS));
        fleet.kill('SIGKILL', 'alone');
        await fleet.end();
        fleet = new Hes(['fleet', '--config', fleetFile]);
      }
      // Each key of each device once more, in peace.
      for (const { id } of devices) order(id);
      for (const { id } of devices) if (headEnd.isAwake(ORES, id)) headEnd.dispatch(ORES, id);
      const waiting = (): Command[] => orders.filter(({ id }) => !answered(id));
      await until(`all are answered: ${fleet.stderr}`, () => waiting().length === 0, WITHIN_MS);
      const told = (): boolean => devices.every(({ id }) => identityOf(id).untold === undefined);
      await until('each desk was told of each key', told, WITHIN_MS);
      const before = headEnd.received.length;
      const another = (): boolean =>
        devices.every(({ id }) => headEnd.received.slice(before).some((index) => index.device === id));
      await until('each has sent another day since', another, WITHIN_MS);
    } finally {
      fleet.kill('SIGTERM', 'alone');
      await fleet.end();
    }

    for (const { id } of orders) {
      const outcomes = outcomesOf(id);
      expect(new Set(outcomes.map((outcome) => JSON.stringify(outcome))).size).toBe(1);
      expect(outcomes[0]).toMatchObject({ state: 'executed' });
    }
    const { layout, root, authorities } = headEnd.pki;
    const issuers = [{ tenant: ORES, certificate: authorities.get(ORES)!.certificate.der }];
    const crls = [readFileSync(layout.crl(ORES), 'utf8')];
    const trust = createDeviceTrust({ tenant: ORES, root: root.pem, issuers, crls, development: true });
    for (const { id } of devices) {
      const identity = identityOf(id);
      for (const key of KEYS) expect(isPair(identity[key]), key).toBe(true);
      const der = (pem: string): Uint8Array => new X509Certificate(pem).raw;
      const sent = { device: id, atMs: Date.now() };
      trust.signer(der(identity.sign.certificate), sent);
      trust.agreement(der(identity.agree.certificate), sent);
      expect(known(id).agree.certificate.trim()).toBe(identity.agree.certificate.trim());
      const days = [...new Set(indexesOf(id))].sort((one, other) => one - other);
      expect(days.length).toBe(days.at(-1)! - days[0]! + 1);
    }
    expect(registered()).toEqual(new Set(orders.map(({ device }) => device)));
  });
});

function isPair({ key, certificate }: { readonly key: string; readonly certificate: string }): boolean {
  const own = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
  return own.equals(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' }));
}

/** Devices that the CA entered, each at its first renewal. */
function registered(): Set<string> {
  const { register } = tenantAuthorities({ ...headEnd.pki, development: true }, ORES, systemClock);
  try {
    return new Set(devices.filter(({ id }) => register.devices.find(id) !== undefined).map(({ id }) => id));
  } finally {
    register.close();
  }
}
