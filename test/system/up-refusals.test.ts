import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createDevelopmentPki } from '../../pki/development/development.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes, type HesEnd, runHes } from '../support/chaos-hes.ts';
import { streamsOf } from '../support/chaos-oracle.ts';
import { until } from '../support/processes.ts';

const folder = new TestFolder();
const two = folder.twoTenants();
const TENANTS = ['ores', 'pidpa'] as TenantId[];
afterAll(() => folder.remove());

const up = (...args: readonly string[]): Promise<HesEnd> => runHes(['up', '--port', '0', ...args]);

/** What a log of a run without end says once everything is started. */
const RUNNING = /^HES · front on [^\n]+\n/;

/** One line that says what is wrong, with its code in brackets; no stack, no JSON, nothing on standard output. */
function expectClear(end: HesEnd, code: string, words: string, exitCode = 1): void {
  expect(end).toMatchObject({ code: exitCode, stdout: '' });
  expect(end.stderr).toMatch(/^hes: [^\n]+\n$/);
  expect(end.stderr).toContain(`(${code})`);
  expect(end.stderr).toContain(words);
}

describe('a wrong command line', () => {
  it.each([
    [['--meters', '0'], 'from 1'],
    [['--meters', 'many'], 'whole number'],
    [['--meters', '1e3'], 'whole number'],
    [['--seed', '-1'], 'from 0'],
    [['--port', '65536'], 'to 65535'],
    [['--speed', '0'], 'above 0'],
    [['--days', '2'], '--days goes with --once'],
    [['--report', 'r.json'], '--report goes with --once'],
    [['--json'], '--json goes with --once'],
    [['--tenant', 'ores'], '--tenant goes with --telegrams'],
    [['--once', '--speed', '2'], '--speed is for a run without end'],
    [['--real-time', '--once'], 'leave out --once'],
    [['--real-time', '--speed', '2'], 'leave out --speed'],
    [['--real-time', '--from', '2026-03-28'], 'leave out --from'],
    [['--real-time', '--telegrams', '.'], 'leave out --real-time'],
    [['--once', '--telegrams', 'x', '--meters', '3'], 'leave out --meters'],
    [['--once', '--telegrams', 'x', '--tenant', 'nobody'], '--tenant nobody'],
    [['--log-level', 'loud'], 'Allowed choices'],
    [['--onse'], 'Did you mean --once'],
    [['word'], 'too many arguments'],
  ])('ends with 2: hes up %j', async (args, words) => {
    const end = await runHes(['up', ...args]);
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toContain(words);
  });

  it('ends with 2 for a command that there is not', async () => {
    const end = await runHes(['upp']);
    expect(end).toMatchObject({ code: 2, stdout: '' });
    expect(end.stderr).toContain("unknown command 'upp'");
  });

  it('is none where help is asked for', async () => {
    const end = await runHes(['up', '--help']);
    expect(end).toMatchObject({ code: 0, stderr: '' });
    expect(end.stdout).toContain('--telegrams');
  });
});

describe('a wrong configuration', () => {
  it.each([
    ['fleet: { metres: 3 }\n', 'fleet.metres'],
    ['tenants: { Ores: {} }\n', 'tenants.Ores'],
    ['tenants: { ores: { mdm: { url: "ftp://mdm" } } }\n', 'tenants.ores.mdm.url'],
    ['fleet: { from: "2026-02-30" }\n', 'fleet.from'],
  ])('ends with 78 and names the path: %j', async (yaml, path) => {
    const end = await up(
      '--once',
      '--config',
      folder.write('wrong.yaml', yaml),
      '--data',
      folder.join('none'),
    );
    expect(end).toMatchObject({ code: 78, stdout: '' });
    expect(end.stderr).toContain(path);
  });
});

describe('a place that cannot be used', () => {
  it('is a port that another program has', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const args = ['up', '--once', '--config', two, '--port', String(port), '--data', folder.join('taken')];
    expectClear(await runHes(args), 'ERR_FRONT_PORT_TAKEN', `127.0.0.1:${port} is taken`);
    server.close();
    expect(folder.files('taken').filter((name) => !name.startsWith('pki/'))).toEqual([]);
  });

  it('is a data folder that is a file', async () => {
    expectClear(await up('--once', '--data', two), 'ERR_DATA_DAMAGED', 'is not a folder');
  });

  it('is a data folder that this user may not write', async () => {
    const data = folder.join('sealed');
    folder.write('sealed/kept', '');
    chmodSync(folder.path, 0o755);
    chmodSync(data, 0o555);
    // Rights do not bind root: there the program runs as somebody else.
    const uid = process.getuid!() === 0 ? { uid: 65_534 } : {};
    const end = await runHes(['up', '--once', '--port', '0', '--data', data], { ...uid, cwd: '/' });
    chmodSync(data, 0o755);
    expectClear(end, 'ERR_DATA_RIGHTS', `${data} may not be written by this user`);
  });

  it('is a report in a folder that does not exist, and that is said before the run', async () => {
    const data = folder.join('unborn');
    const end = await up('--once', '--report', folder.join('no', 'report.json'), '--data', data);
    expectClear(end, 'ERR_REPORT', folder.join('no', 'report.json'));
    expect(statSync(data, { throwIfNoEntry: false })).toBeUndefined();
  });

  it('is a file of records in a folder that does not exist', async () => {
    const file = folder.join('no', 'records.jsonl');
    const end = await up('--once', '--config', two, '--mdm-out', file, '--data', folder.join('out'));
    expectClear(end, 'ERR_STANDIN_FILE', file);
  });

  it('is a path of telegrams that does not exist, or where none begins', async () => {
    const run = (path: string) =>
      up('--once', '--config', two, '--telegrams', path, '--data', folder.join('out'));
    expectClear(await run(folder.join('no')), 'ERR_TELEGRAMS_PATH', 'does not exist');
    folder.write('prose/README.md', 'nothing here\n');
    expectClear(
      await run(folder.join('prose')),
      'ERR_TELEGRAMS_PATH',
      'no file in which a P1 telegram begins',
    );
  });
});

describe('a damaged data folder', () => {
  const data = folder.join('damaged');
  const { layout } = createDevelopmentPki({
    directory: join(data, 'pki'),
    tenants: TENANTS,
    nowMs: Date.now(),
  });
  const run = { seed: 1, meters: 4, tenants: TENANTS };
  const deviceFile = (name: string): string => join(data, 'devices', streamsOf(run)[0]!.device, name);
  const args = ['--config', two, '--meters', '4', '--speed', '60', '--data', data];

  /** A file with other content for as long as the act takes. */
  async function damaged(file: string, damage: () => void, act: () => Promise<void>): Promise<void> {
    const whole = readFileSync(file);
    damage();
    try {
      await act();
    } finally {
      writeFileSync(file, whole);
    }
  }

  it.each([
    ['a key of the front', layout.front.key],
    ['a key of an issuing CA', layout.issuing(TENANTS[0]!).key],
    ['a sealing key', firstKeyIn(join(data, 'pki', TENANTS[1]!, 'sealing'))],
    ['the certificate of the root', layout.root.certificate],
    ['a revocation list', layout.crl(TENANTS[0]!)],
    ['the manifest', join(data, 'pki', 'manifest.json')],
  ])('has %s that was cut short', async (_, file) => {
    await damaged(
      file,
      () => truncateSync(file, 20),
      async () =>
        expectClear(await up('--once', ...args.slice(0, 4), '--data', data), 'ERR_PKI_DAMAGED', file),
    );
  });

  it('has a garbled identity of a device', async () => {
    folder.write(`damaged/devices/${streamsOf(run)[0]!.device}/identity.json`, '{"version":1,"device":');
    const file = deviceFile('identity.json');
    expectClearAtWork(await up(...args), 'ERR_FLEET_IDENTITY', file);
    writeFileSync(file, '');
  });

  it('has a garbled outbox of a device', async () => {
    const device = streamsOf(run)[0]!.device;
    folder.write(`damaged/devices/${device}/outbox`, 'this is no outbox at all, whatever else it may be');
    // The identity that the case above garbled is enrolled anew once it is gone, as its message says.
    folder.discard(`damaged/devices/${device}/identity.json`);
    expectClearAtWork(await up(...args), 'ERR_OUTBOX_FORMAT', deviceFile('outbox'));
  });

  it('has a garbled note of the day that was reached', async () => {
    const file = folder.write('damaged/simulated-day.json', '{"day":"yesterday"}');
    expectClear(await up(...args), 'ERR_DATA_DAMAGED', file);
  });

  it('is not one with the lock of a process that was killed, or with a garbled one', async () => {
    const dead = spawn('true');
    await once(dead, 'exit');
    for (const lock of [`${dead.pid}\n`, 'garbage', '']) {
      folder.write('damaged/up.lock', lock);
      const end = await up('--once', '--config', two, '--meters', '2', '--data', data);
      expect(end).toMatchObject({ code: 0, stderr: '' });
      expect(readdirSync(data)).not.toContain('up.lock');
    }
  });
});

describe('a data folder that is in use', () => {
  it('is refused to a second run, and the first goes on', async () => {
    const data = folder.join('shared');
    const args = ['up', '--config', two, '--meters', '2', '--speed', '60', '--port', '0', '--data', data];
    const first = new Hes(args);
    try {
      // The desks are the last.
      await first.running('fleet');
      await until('the run is up', () => existsSync(join(data, 'desks.json')), 60_000);
      expectClear(await runHes(args), 'ERR_DATA_LOCKED', 'is using');
      expectClear(await up('--once', '--data', data), 'ERR_DATA_LOCKED', data);
      expect(
        first
          .tree()
          .map(({ kind }) => kind)
          .toSorted(),
      ).toEqual(['desk', 'desk', 'dev-ca', 'fleet', 'front', 'mdm', 'router', 'router']);
    } finally {
      first.kill('SIGTERM', 'alone');
      expect(await first.end()).toMatchObject({ code: 0 });
    }
  });
});

/** The same for what only a device that is already at work can find: it may come before that line or after it. */
function expectClearAtWork(end: HesEnd, code: string, words: string): void {
  expectClear({ ...end, stderr: end.stderr.replace(RUNNING, '') }, code, words);
}

function firstKeyIn(directory: string): string {
  return join(directory, readdirSync(directory).find((name) => name.endsWith('.key'))!);
}
