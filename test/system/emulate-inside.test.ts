import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tcpLink } from '../../gateway/edge/sources/tcp.ts';
import { Office, sealFor } from '../../gateway/edge/testing/commanded.ts';
import { FakeHeadEnd } from '../../gateway/edge/testing/head-end.ts';
import { systemClock } from '../../gateway/runtime/clock.ts';
import { adoptDevice } from '../../pki/ca/adopt.ts';
import { tenantAuthorities } from '../../pki/ca/open.ts';
import { issueDevice } from '../../pki/development/devices.ts';
import { startEst } from '../../pki/est/server.ts';
import { type DeviceIdentity, readDeviceIdentity, saveDeviceIdentity } from '../../pki/identity.ts';
import { loadServerKey } from '../../pki/keys/keys.ts';
import { presetWindows } from '../../protocol/command/presets.ts';
import type { ArgumentsOf, CommandType } from '../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { EmulatorProcess, type WatchedPort, watchPort } from '../support/emulated-meter.ts';

const ORES = 'ores' as TenantId;
const DEVICE = '00112233445566ff' as DeviceId;
const PATIENCE = { timeout: 60_000, interval: 20 };

let folder: string;
let headEnd: FakeHeadEnd;
let office: Office;
let identity: DeviceIdentity;
let identityFile: string;
let meter: EmulatorProcess | undefined;
let port: WatchedPort | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hes-inside-'));
  headEnd = await FakeHeadEnd.start(join(folder, 'pki'), [ORES]);
  office = new Office(headEnd.pki, systemClock);
  identity = issueDevice(headEnd.pki, { device: DEVICE, home: ORES, guests: [], nowMs: Date.now() });
  identityFile = saveDeviceIdentity(join(folder, 'devices'), identity);
});
afterEach(async () => {
  await port?.stop();
  await meter?.kill('SIGKILL');
  port = undefined;
  meter = undefined;
  await headEnd.stop();
  rmSync(folder, { recursive: true });
});

const until = (so: () => void): Promise<void> => vi.waitFor(so, PATIENCE);

async function start(...more: readonly string[]): Promise<void> {
  const front = `127.0.0.1:${headEnd.port}`;
  meter = new EmulatorProcess(['--p1', 'tcp:0', '--identity', identityFile, '--front', front, ...more]);
  await until(() => expect(meter!.events[0]).toMatchObject({ event: 'started', simulated: true }));
  await until(() => expect(headEnd.isAwake(ORES, DEVICE)).toBe(true));
  const [p1] = meter.events[0]!['p1'] as { host: string; port: number }[];
  port = watchPort(tcpLink(p1!));
}

async function command<T extends CommandType>(type: T, args: ArgumentsOf<T>): Promise<string> {
  const made = office.command(DEVICE, type, args);
  headEnd.send(ORES, DEVICE, sealFor(identity, ORES, office.sign(made)));
  const outcome = () => headEnd.results.find((one) => one.outcome.command === made.id)?.outcome;
  await until(() => expect(outcome()).toBeDefined());
  return outcome()!.code ?? 'executed';
}

const printed = () => port!.telegrams.at(-1);
const shown = () => meter!.events.findLast(({ event }) => event === 'commanded');

describe('hes emulate meter with an edge inside', () => {
  it('takes commands, shows them, prints them, and has them after a kill', async () => {
    await start();
    await until(() => expect(printed()).toMatchObject({ breaker: 1 }));
    const windows = presetWindows(ORES, 'bi', '2026-06-01')!;
    expect(await command('tariff.set', { plan: 'bi', windows, from: '2026-01-01' })).toBe('executed');
    const until1 = Math.floor(Date.now() / 1_000) + 3_600;
    expect(await command('display.message', { text: 'Bonjour', until: until1 })).toBe('executed');
    expect(await command('breaker.open', { cause: 'works' })).toBe('executed');
    await until(() => expect(printed()).toMatchObject({ breaker: 0, text: 'Bonjour' }));
    await until(() => expect(shown()).toMatchObject({ breaker: 'open', tariff: { plan: 'bi' } }));
    await port!.stop();
    await meter!.kill('SIGKILL');
    await start();
    await until(() => expect(printed()).toMatchObject({ breaker: 0, text: 'Bonjour' }));
    await until(() =>
      expect(shown()).toMatchObject({ breaker: 'open', tariff: { plan: 'bi' }, connected: true }),
    );
    expect(await command('p1.set', { on: false })).toBe('executed');
    await until(() => expect(shown()).toMatchObject({ port: 'off' }));
    await until(() => expect(port!.said.at(-1)).not.toBe('receiving'));
  });

  it('sends the index of a day that ends', async () => {
    const front = `127.0.0.1:${headEnd.port}`;
    const words = ['--p1', 'tcp:0', '--from', '2026-03-28T23:00', '--speed', '10'];
    meter = new EmulatorProcess([...words, '--identity', identityFile, '--front', front]);
    await until(() => expect(headEnd.received.map(({ day }) => day)).toContain('2026-03-29'));
    const full = headEnd.received.find(({ day }) => day === '2026-03-29')!;
    expect(full.meters.find(({ medium }) => medium === 'electricity')!.profiles[0]!.deltas).toHaveLength(92);
  });

  it('says which file is no identity, and ends', async () => {
    meter = new EmulatorProcess([
      '--p1',
      'tcp:0',
      '--identity',
      join(folder, 'none'),
      '--front',
      'localhost:1',
    ]);
    expect(await meter.ended()).not.toBe(0);
    expect(meter.stderr).toMatch(/ERR_PKI_/);
  });
});

describe('the keys of a meter with an edge inside', () => {
  const renewed = () => KEYS.filter((key) => readDeviceIdentity(identityFile)[key].key !== identity[key].key);

  it('are made anew at a command, and certified by the CA that it was told of', async () => {
    const cas = await startCas();
    try {
      await start('--est', cas.url, '--servername', 'localhost');
      for (const key of KEYS) {
        await until(() => expect(headEnd.isAwake(ORES, DEVICE)).toBe(true));
        expect(await command('credential.renew', { key })).toBe('executed');
      }
      expect(renewed()).toEqual(KEYS);
    } finally {
      await cas.stop();
    }
  });

  it('stay what they are where it was told of none', async () => {
    await start();
    expect(await command('credential.renew', { key: 'agree' })).toBe('hardware');
    expect(renewed()).toEqual([]);
  });
});

/** TLS last: its connection ends with its certificate, and nobody here sends again what is lost with that. */
const KEYS = ['sign', 'agree', 'tls'] as const;

/** The operator's EST as `npm start` has it. */
async function startCas(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const { pki } = headEnd;
  const { register, field } = tenantAuthorities({ ...pki, development: true }, ORES, systemClock);
  const crlFile = pki.layout.crl(ORES);
  const est = await startEst({
    authority: field,
    cacerts: [pki.root.certificate.der, field.issuer.certificate.der],
    manufacturers: [],
    clock: systemClock,
    listen: { host: '127.0.0.1', port: 0 },
    tls: loadServerKey(pki.layout.front, { development: true }),
    perMinute: 1_000,
    count: () => undefined,
    onFault: (error) => {
      throw error;
    },
    adopt: (der) => adoptDevice(field, der, { crlFile, nowMs: Date.now(), by: 'est' }),
  });
  return {
    url: `https://127.0.0.1:${est.port}`,
    async stop() {
      await est.stop();
      register.close();
    },
  };
}
