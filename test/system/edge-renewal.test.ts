import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import { dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { EdgeStatus } from '../../gateway/edge/service/status.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import { simulatedClock } from '../../gateway/runtime/clock.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import { Household } from '../../meter-emulator/meter/household.ts';
import { EmulatedPhysicalMeter } from '../../meter-emulator/meter/meter.ts';
import { type TenantAuthorities, tenantAuthorities } from '../../pki/ca/open.ts';
import { CREDENTIAL_NAMES, CREDENTIALS } from '../../pki/enrolment/request.ts';
import { makeNotice } from '../../pki/notice/notice.ts';
import { type DeviceIdentity, readDeviceIdentity } from '../../pki/trust.ts';
import { parseCertificate } from '../../pki/x509/certificate.ts';
import { derOf } from '../../pki/x509/pem.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { Hes, runHes } from '../support/chaos-hes.ts';
import { Field } from '../support/field.ts';
import { type HeadEnd, startHeadEnd } from '../support/head-end.ts';
import { until } from '../support/processes.ts';

/**
 * A device as an installer brings it up: `hes ca` and `hes edge` as processes, a meter on its port, front and routers
 * behind it. Its certificates end in a few minutes and are due, so its keys are renewed by themselves while it reads.
 */

const HES = new URL('../../gateway/cli/hes.ts', import.meta.url);
const SEED = 11;
/** A third of a minute for each second, so that a midnight passes while one watches. */
const SPEED = 20;
const DAY = dayNamed('2026-03-28');
/** Of our time twenty minutes: the first edge reads on an ordinary evening. */
const HOURS_BEFORE_MS = 24_000_000;
/** And some seconds before the second comes to it. */
const BEFORE_MIDNIGHT_MS = 120_000;
const WITHIN_MS = 90_000;
const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 86_400_000;
const DEVICE = '00000000c0ffee01' as DeviceId;

const household = new Household(SEED);
const { home, guests } = household.plan;
let field: Field;
let headEnd: HeadEnd;
let beside: TenantAuthorities;
let supervisor: Supervisor;
let port: number;
let folder: string;
const running: { stop(): Promise<void> | void }[] = [];
const clock = (originMs: number) => ({
  kind: 'simulated' as const,
  originMs,
  startedAtMs: Date.now(),
  speed: SPEED,
});

beforeAll(async () => {
  field = new Field([home, ...guests]);
  headEnd = await startHeadEnd(field, { clock: clock((DAY.end + 3_600) * 1_000) });
  beside = authorities(() => Date.now());
  [port] = (await freePorts(1)) as [number];
  supervisor = new Supervisor({ onLine: () => undefined, restart: { baseMs: 50, maxMs: 100 } });
  folder = join(field.directory, 'edge');
  mkdirSync(folder);
}, 120_000);
afterAll(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
  await supervisor?.stop();
  beside?.register.close();
  await headEnd?.stop();
  field?.remove();
}, 60_000);

const authorities = (nowMs: () => number) =>
  tenantAuthorities({ ...field.pki, development: true }, home, { nowMs });

/** As each operator publishes it: the key and the office that are in force. */
function noticeOf(tenant: TenantId): string {
  const { pki } = field;
  const file = tenant === home ? pki.layout.notice(tenant) : join(field.directory, `${tenant}.notice`);
  const content = {
    tenant,
    sealing: pki.owners.get(tenant)!.certificate,
    officeRoot: pki.office!.root,
    officeIssuers: [pki.office!.authorities.get(tenant)!.certificatePem],
    revokedPeople: [],
  };
  writeFileSync(file, makeNotice(pki.authorities.get(tenant)!, content, Date.now()));
  return file;
}

/** The same CA each time, on the same port. */
function startCa(name: string): Promise<Child> {
  return supervisor.start({
    name,
    module: HES,
    args: ['ca', '--config', '-'],
    readyWithinMs: WITHIN_MS,
    config: {
      mode: 'development',
      tenant: home,
      pki: { directory: field.pki.layout.directory },
      listen: { port },
      tls: field.pki.layout.front,
      notices: Object.fromEntries(guests.map((tenant) => [tenant, noticeOf(tenant)])),
    },
  });
}

/** What was made on the device is certified already, to end soon: the CA gives the same certificate again. */
function certifyToEndSoon(pendingKeys: Readonly<Record<string, string>>): void {
  const past = authorities(() => Date.now() - 60 * MINUTE_MS);
  for (const name of CREDENTIAL_NAMES)
    past.field.issue({
      profile: CREDENTIALS[name].name,
      publicKey: createPublicKey(createPrivateKey(pendingKeys[name]!)).export({
        type: 'spki',
        format: 'der',
      }),
      name: { device: DEVICE },
      by: 'test',
      notAfterMs: Date.now() + 10 * MINUTE_MS,
    });
  past.register.close();
}

const identityFile = () => join(folder, 'identity.json');
const keysOf = ({ tls, sign, agree }: DeviceIdentity) => [tls.key, sign.key, agree.key];

async function statusOf(config: string): Promise<EdgeStatus> {
  return JSON.parse((await runHes(['edge', 'status', '--config', config, '--json'])).stdout) as EdgeStatus;
}

function run(config: string): Hes {
  const hes = new Hes(['edge', 'run', '--config', config]);
  running.push({
    stop: async () => {
      hes.kill('SIGKILL', 'group');
      await hes.end();
    },
  });
  return hes;
}

function writeConfig(config: string, simulated: object, bridge: { host: string; port: number }): void {
  writeFileSync(
    config,
    JSON.stringify({
      data: 'data',
      development: true,
      clock: simulated,
      headEnd: { host: '127.0.0.1', port: headEnd.port, servername: 'localhost' },
      schedule: { closeAfterSeconds: 30, jitterMs: 0, backoffBaseMs: 200, backoffMaxMs: 1_000 },
      renewal: {
        url: `https://127.0.0.1:${port}`,
        servername: 'localhost',
        startSpreadMs: 0,
        backoffBaseMs: 200,
        backoffMaxMs: 1_000,
      },
      devices: [
        {
          identity: 'identity.json',
          owners: household.plan.meters
            .filter(({ owner }) => owner !== home)
            .map(({ channel, owner }) => ({ channel, tenant: owner })),
          sources: [{ p1: { tcp: { host: bridge.host, port: bridge.port } } }],
        },
      ],
    }),
  );
}

/** A meter on a port of its own, and an edge that reads it, both so long before midnight. */
async function installMeter(config: string, beforeMidnightMs: number): Promise<void> {
  const simulated = clock(DAY.end * 1_000 - beforeMidnightMs);
  const meter = await EmulatedPhysicalMeter.start({
    seed: SEED,
    clock: simulatedClock(simulated),
    ports: [{ tcp: { port: 0 } }],
    bytesPerSecond: Number.POSITIVE_INFINITY,
  });
  running.push(meter);
  writeConfig(config, simulated, meter.endpoints[0] as { host: string; port: number });
}

describe('a device that is enrolled over EST', () => {
  it('renews its keys by itself, through a CA that is away and a kill, and delivers its day', {
    timeout: 240_000,
  }, async () => {
    const config = join(folder, 'edge.yaml');
    // Nothing runs yet that would need a port or the time.
    writeConfig(config, clock(DAY.end * 1_000), { host: '127.0.0.1', port: 1 });
    beside.register.devices.add({ device: DEVICE, home, guests: [...guests] }, 'test');
    const code = beside.register.devices.newCode(DEVICE, Date.now() + YEAR_MS, 'test');
    writeFileSync(join(folder, 'code'), `${code}\n`, { mode: 0o600 });
    const enrol = [
      ...['edge', 'enrol', '--config', config, '--home', home, '--est', `https://127.0.0.1:${port}`],
      ...['--servername', 'localhost', '--code-file', join(folder, 'code')],
      ...['--root', field.pki.layout.root.certificate, '--json'],
    ];
    // Nobody is there yet: the keys are made, and wait.
    const early = await runHes(enrol);
    expect(early.code).toBe(1);
    expect(early.stderr).toContain('ERR_EST_UNREACHABLE');
    const pending = JSON.parse(readFileSync(`${identityFile()}.pending`, 'utf8')) as {
      keys: Record<string, string>;
    };
    certifyToEndSoon(pending.keys);
    noticeOf(home);
    const ca = await startCa('ca');
    const enrolled = await runHes(enrol);
    expect(enrolled.code, enrolled.stderr).toBe(0);
    expect(JSON.parse(enrolled.stdout)).toMatchObject({ state: 'enrolled', device: DEVICE, home });
    const first = readDeviceIdentity(identityFile());
    expect(keysOf(first)).toEqual(CREDENTIAL_NAMES.map((name) => pending.keys[name]));
    await ca.stop();

    await installMeter(config, HOURS_BEFORE_MS);
    const said = (hes: Hes, words: string) => `${hes.stdout}${hes.stderr}`.includes(words);
    const renewed = () => {
      const now = keysOf(readDeviceIdentity(identityFile()));
      return keysOf(first).filter((key, at) => now[at] !== key).length;
    };
    // The CA is away: that is said, and the edge goes on with the keys that it has.
    const alone = run(config);
    await until('it says so', () => said(alone, 'ERR_EST_UNREACHABLE'), WITHIN_MS);
    const reads = async () => {
      const [device] = (await statusOf(config)).devices;
      expect(device).toMatchObject({ renewal: { failure: { code: 'ERR_EST_UNREACHABLE' } } });
      const [source] = device!.sources;
      return source?.kind === 'p1' && source.telegrams > 0;
    };
    await until('it reads its meter', reads, WITHIN_MS);
    expect(renewed()).toBe(0);
    await startCa('ca-again');
    // One key after the other; between two of them the process is gone.
    await until('a first new key', () => renewed() > 0, WITHIN_MS);
    alone.kill('SIGKILL', 'group');
    await alone.end();
    // Its running day lies on its disk, under the key of that time.
    await installMeter(config, BEFORE_MIDNIGHT_MS);
    const edge = run(config);
    await until('three new keys', () => renewed() === CREDENTIAL_NAMES.length, WITHIN_MS);
    const owners = [home, ...household.plan.meters.map(({ owner }) => owner)];
    const arrived = () =>
      owners.every((tenant) => headEnd.records(tenant).some(({ header }) => header.Device === DEVICE));
    await until('the records', arrived, WITHIN_MS);

    const now = readDeviceIdentity(identityFile());
    expect(now).toMatchObject({ device: DEVICE, home, guests: [...guests], agreeBefore: [first.agree] });
    for (const name of CREDENTIAL_NAMES) {
      const { notAfterMs } = parseCertificate(derOf('CERTIFICATE', now[name].certificate));
      expect(notAfterMs).toBeGreaterThan(Date.now() + YEAR_MS);
    }
    const [status] = (await statusOf(config)).devices;
    expect(status).toMatchObject({
      device: DEVICE,
      trouble: null,
      renewal: { pending: [], failure: null, lastMs: expect.any(Number) },
    });
    expect(status!.renewal!.nextMs).toBeGreaterThan(Date.now() + YEAR_MS);
    const records = beside.register.certificates.list({ filter: { device: DEVICE }, limit: 20 });
    expect(records.map(({ state }) => state).sort()).toEqual([
      ...CREDENTIAL_NAMES.map(() => 'replaced'),
      ...CREDENTIAL_NAMES.map(() => 'valid'),
    ]);
    edge.kill('SIGTERM', 'alone');
    expect(await edge.end(30_000)).toMatchObject({ code: 0, signal: null });
    for (const key of [...keysOf(first), ...keysOf(now)])
      expect(edge.stderr).not.toContain(key.split('\n')[1]);
  });
});
