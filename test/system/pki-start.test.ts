import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { loadDevelopmentPki, openDevelopmentPki } from '../../pki/development/development.ts';
import { parseCrl } from '../../pki/x509/crl.ts';
import { derOf } from '../../pki/x509/pem.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';

const home = mkdtempSync(join(tmpdir(), 'hes-pki-start-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const nowMs = Date.now();
const tenants = CONSORTIUM.map(({ id }) => id);
const development = resolve(import.meta.dirname, '../../pki/development/development.ts');
const load = (directory: string) => loadDevelopmentPki({ directory, nowMs, development: true });

/** A process of its own that says `begin` and then runs the lines given, with the room's functions at hand. */
function start(lines: string): ChildProcess {
  const source = `
    const pki = await import(${JSON.stringify(development)});
    process.stdout.write('begin\\n');
    ${lines}`;
  return spawn(process.execPath, ['--input-type=module', '--eval', source], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

const opening = (directory: string) => `
  const { created, pki: { root } } = pki.openDevelopmentPki(
    ${JSON.stringify({ directory, tenants, nowMs, development: true })});
  process.stdout.write(JSON.stringify({ created, root: root.pem }) + '\\n');`;

async function answerOf(child: ChildProcess): Promise<string[]> {
  let text = '';
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [exitCode] = await once(child, 'close');
  expect(exitCode).toBe(0);
  return text.trim().split('\n').slice(1);
}

describe('the first start', () => {
  it('made by four processes at once ends with one PKI that all of them use', async () => {
    const directory = join(home, 'at-once', 'pki');
    const children = Array.from({ length: 4 }, () => start(opening(directory)));
    const answers = (await Promise.all(children.map(answerOf))).map(
      ([line]) => JSON.parse(line!) as { created: boolean; root: string },
    );
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(answers.map(({ root }) => root)).size).toBe(1);
    expect(answers[0]!.root).toBe(load(directory).root.pem);
    expect(readdirSync(join(directory, '..'))).toEqual(['pki']);
  });

  it('killed at any moment leaves a whole PKI or none', async () => {
    const random = seededRandom(20_260_328);
    const seen = { whole: 0, none: 0 };
    // The moment of the rename depends on the machine: the delay follows it, from both sides.
    let delayMs = 60;
    for (let round = 0; round < 30; round += 1) {
      const directory = join(home, `killed-${round}`, 'pki');
      const child = start(opening(directory));
      await once(child.stdout!, 'data');
      await sleep(delayMs * (0.3 + random()));
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      const there = existsSync(directory);
      seen[there ? 'whole' : 'none'] += 1;
      delayMs *= there ? 0.7 : 1.4;
      if (there) expect(load(directory).tenants).toEqual(tenants);
      // Whatever was left beside does not keep the next start from making one.
      else if (round % 5 === 0) expect(await answerOf(start(opening(directory)))).toHaveLength(1);
    }
    // Else the moments were badly chosen and nothing was shown.
    expect(Math.min(seen.whole, seen.none), JSON.stringify(seen)).toBeGreaterThan(0);
  });
});

describe('an office for a PKI that was made without one', () => {
  const old = (name: string): string => {
    const directory = join(home, name, 'pki');
    const { layout } = openDevelopmentPki({ directory, tenants, nowMs, development: true }).pki;
    rmSync(layout.office.directory, { recursive: true });
    return directory;
  };
  const adding = (directory: string) => `
    const { pki: { office } } = pki.openDevelopmentPki(
      ${JSON.stringify({ directory, tenants, nowMs, development: true })});
    process.stdout.write(JSON.stringify(office.root) + '\\n');`;

  it('is one, when four processes make it at once', async () => {
    const directory = old('office-at-once');
    const before = readdirSync(directory);
    const answers = await Promise.all(Array.from({ length: 4 }, () => answerOf(start(adding(directory)))));
    expect(new Set(answers.flat()).size).toBe(1);
    expect(JSON.parse(answers[0]![0]!)).toBe(load(directory).office!.root);
    expect(readdirSync(directory).sort()).toEqual([...before, 'office'].sort());
  });

  it('is whole or not there when its maker is killed at any moment', async () => {
    const random = seededRandom(20_261_124);
    for (let round = 0; round < 8; round += 1) {
      const directory = old(`office-killed-${round}`);
      const child = start(adding(directory));
      await once(child.stdout!, 'data');
      await sleep(400 * random());
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      expect(load(directory).tenants).toEqual(tenants);
      const { pki } = openDevelopmentPki({ directory, tenants, nowMs, development: true });
      expect([...pki.office!.authorities.keys()]).toEqual(tenants);
    }
  });
});

describe('revoking', () => {
  it('by three processes at once loses nobody', async () => {
    const directory = join(home, 'revoking', 'pki');
    await answerOf(start(opening(directory)));
    const revoking = `
      const own = pki.loadDevelopmentPki(${JSON.stringify({ directory, nowMs, development: true })});
      for (let time = 0; time < 10; time += 1) {
        const identity = pki.issueDevice(own, { home: 'ores', nowMs: ${nowMs} });
        pki.revokeDevice(own, identity, { nowMs: ${nowMs} });
      }`;
    await Promise.all([0, 1, 2].map(() => answerOf(start(revoking))));
    const list = parseCrl(derOf('X509 CRL', readFileSync(load(directory).layout.crl(tenants[0]!), 'utf8')));
    expect(list.entries).toHaveLength(3 * 10 * 3);
    expect(list.number).toBe(31n);
  });
});
