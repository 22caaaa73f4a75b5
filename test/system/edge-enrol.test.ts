import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayAt, dayOfOrdinal } from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import { captured, meter, register, snapshot, WATER } from '../../gateway/edge/testing/meters.ts';
import { type DeviceIdentity, readDeviceIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { ObisCode } from '../../protocol/reading.ts';
import { Field } from '../support/field.ts';
import { type HeadEnd, startHeadEnd } from '../support/head-end.ts';
import { hasCommand } from '../support/tools.ts';

const HES = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');
const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const openssl = hasCommand('openssl');

/** A device enrolled by hand, by the commands that an installer and an operator type, each on its own side. */
let field: Field;
let headEnd: HeadEnd;
/** The installer's folder, the operator's, and what goes between them. */
let installer: string;
let operator: string;

beforeAll(async () => {
  field = new Field([ORES, FARYS]);
  headEnd = await startHeadEnd(field);
  installer = join(field.directory, 'installer');
  operator = join(field.directory, 'operator');
  for (const folder of [installer, operator]) mkdirSync(folder);
});
afterAll(async () => {
  await headEnd?.stop();
  field?.remove();
});

function hes(cwd: string, args: readonly string[], input = '') {
  const ran = spawnSync(process.execPath, [HES, ...args], { cwd, input, encoding: 'utf8' });
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

const rootFingerprint = () => new X509Certificate(field.pki.root.pem).fingerprint256;

describe('a device enrolled by hand', () => {
  it('sends readings of both its owners through front and routers, and gets receipts', async () => {
    writeFileSync(
      join(installer, 'edge.yaml'),
      `data: .
headEnd: { host: localhost, port: ${headEnd.port} }
development: true
devices:
  - identity: keys/identity.json
    owners: [{ channel: 2, tenant: farys }]
    sources: [{ p1: { serial: { path: /dev/ttyUSB0 } } }]
`,
    );
    // The power is cut after the keys were made: what is asked the second time is the same.
    const begun = hes(installer, ['edge', 'enrol', '--config', 'edge.yaml', '--home', 'ores']);
    expect(begun.code).toBe(0);
    const asked = hes(installer, [
      ...['edge', 'enrol', '--config', 'edge.yaml', '--home', 'ores', '--out', 'request.json', '--json'],
    ]);
    expect(asked).toMatchObject({ code: 0, err: '' });
    expect(JSON.parse(asked.out)).toMatchObject({ continued: true, home: 'ores', guests: ['farys'] });
    const request = readFileSync(join(installer, 'request.json'), 'utf8');
    expect(begun.out).toBe(request);

    const answered = hes(operator, ['pki', 'enrol', '-', '--data', field.directory], request);
    expect(answered.code).toBe(0);
    expect(answered.err).toContain(rootFingerprint());
    writeFileSync(join(installer, 'answer.json'), answered.out);

    const take = ['edge', 'enrol', '--config', 'edge.yaml', '--answer', 'answer.json'];
    const unconfirmed = hes(installer, take);
    expect(unconfirmed).toMatchObject({ code: 1, out: '' });
    expect(unconfirmed.err).toContain('ERR_ENROL_ROOT');
    const confirmed = [...take, '--root-fingerprint', rootFingerprint()];
    expect(hes(installer, confirmed)).toMatchObject({ code: 0, err: '' });
    expect(hes(installer, confirmed).out).toContain('as before');
    expect(readdirSync(join(installer, 'keys'))).toEqual(['identity.json']);

    const identity = readDeviceIdentity(join(installer, 'keys', 'identity.json'));
    await sendsReadings(identity);
    for (const tenant of [ORES, FARYS])
      expect(headEnd.records(tenant).map(({ header }) => header.Device)).toEqual([identity.device]);
    for (const text of [request, answered.out]) expect(text).not.toContain('PRIVATE');
  });

  it('is enrolled through one pipe where device and CA are on one machine', () => {
    const hes = `"${process.execPath}" "${HES}"`;
    const device = `${hes} edge enrol --identity piped/identity.json --development`;
    const root = field.pki.layout.root.certificate;
    const pipe = `${device} --home ores --root "${root}" | ${hes} pki enrol - --data "${field.directory}" | ${device} --answer - --json`;
    const ran = spawnSync('sh', ['-c', pipe], { cwd: installer, encoding: 'utf8' });
    expect(ran.status, ran.stderr).toBe(0);
    expect(JSON.parse(ran.stdout)).toMatchObject({ state: 'enrolled', home: 'ores', guests: [] });
    expect(readdirSync(join(installer, 'piped'))).toEqual(['identity.json']);
  });

  it.skipIf(!openssl)('asks and is answered in what openssl takes (needs openssl)', () => {
    const run = (args: readonly string[], input: string) => {
      const { stdout, stderr, status } = spawnSync('openssl', args, {
        cwd: installer,
        input,
        encoding: 'utf8',
      });
      return { status, text: stdout + stderr };
    };
    const read = (file: string) =>
      JSON.parse(readFileSync(join(installer, file), 'utf8')) as Record<string, string>;
    const request = read('request.json');
    const answer = read('answer.json');
    writeFileSync(join(installer, 'root.pem'), answer['root']!);
    writeFileSync(join(installer, 'issuer.pem'), answer['issuer']!);
    const chain = ['verify', '-x509_strict', '-CAfile', 'root.pem', '-untrusted', 'issuer.pem'];
    for (const name of ['tls', 'sign', 'agree']) {
      expect(run(['req', '-verify', '-noout'], request[name]!).text, name).toMatch(/verify OK/);
      expect(run(chain, answer[name]!), name).toMatchObject({ status: 0 });
      const key = run(['req', '-noout', '-pubkey'], request[name]!).text;
      expect(run(['x509', '-noout', '-pubkey'], answer[name]!).text, name).toBe(key);
    }
  });
});

/** One day of an electricity meter and of the water meter behind it. */
async function sendsReadings(identity: DeviceIdentity): Promise<void> {
  const edge = EdgeDevice.open({
    directory: join(field.directory, 'edge'),
    identity,
    owners: ({ medium }) => (medium === 'water' ? FARYS : identity.home),
    headEnd: { host: '127.0.0.1', port: headEnd.port, servername: 'localhost' },
    development: true,
  });
  try {
    const day = dayOfOrdinal(dayAt(Date.now() / 1_000).ordinal - 2);
    for (const second of [day.start, day.end]) {
      const own = meter([register('1-0:1.8.1' as ObisCode, second - day.start)]);
      const water = meter([captured(WATER, second - day.start, second)], {
        medium: 'water',
        channel: 2,
        serial: '8ITR0000000001',
      });
      edge.observe(snapshot(second, [own, water]));
    }
    expect(await edge.closeDay(day)).toBe(2);
    expect(await edge.wake()).toMatchObject({ delivered: 2, refused: 0, failed: 0 });
    expect(edge.pending()).toBe(0);
  } finally {
    await edge.close();
  }
}
