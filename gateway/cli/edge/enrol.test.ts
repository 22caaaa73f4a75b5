import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDevelopmentPki, type DevelopmentPki } from '../../../pki/development/development.ts';
import { readPending } from '../../../pki/enrolment/request-pending.ts';
import { FARYS, ORES } from '../../../pki/testing/field.ts';
import { exitCodeOf } from '../exit.ts';
import { pkiEnrol } from '../pki/enrol.ts';
import { type EdgeEnrolFlags, edgeEnrol } from './enrol.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-enrol-'));
let count = 0;
let pki: DevelopmentPki;
const at = (name: string) => join(folder, name);
beforeAll(() => {
  pki = createDevelopmentPki({ directory: at('pki'), tenants: [ORES, FARYS], nowMs: Date.now() });
});
afterEach(() => vi.restoreAllMocks());
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Run it and collect what it says, on both streams. */
async function said(run: () => Promise<void> | void): Promise<{ out: string; err: string }> {
  const texts = { out: '', err: '' };
  for (const [name, stream] of [
    ['out', process.stdout],
    ['err', process.stderr],
  ] as const)
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      texts[name] += String(chunk);
      return true;
    });
  try {
    await run();
  } finally {
    vi.restoreAllMocks();
  }
  return texts;
}

const edge = (flags: EdgeEnrolFlags) => said(() => edgeEnrol(flags));
const operator = (request: string, flags: object = {}) =>
  said(() => pkiEnrol(request, { data: folder, ...flags }));
const newDevice = () => at(`device-${++count}/identity.json`);
const refused = (code: string, exit: number) =>
  expect.toSatisfy(
    (error: Error & { code?: string }) => error.code === code && exitCodeOf(error) === exit,
    `${code}, exit code ${exit}`,
  );

function config(identities: readonly string[], development = true): string {
  const file = at(`edge-${++count}.json`);
  const devices = identities.map((identity, index) => ({
    identity,
    owners: [{ channel: 2, tenant: 'farys' }],
    sources: [{ p1: { tcp: { host: 'p1.example', port: 2_000 + index } } }],
  }));
  writeFileSync(file, JSON.stringify({ data: '.', headEnd: { host: 'hes.example' }, development, devices }));
  return file;
}

describe('hes edge enrol', () => {
  it('wants one device, its operator, and flags that go together', async () => {
    const identity = newDevice();
    const wrong: EdgeEnrolFlags[] = [
      {},
      { home: 'ores' },
      { identity },
      { identity, answer: 'a', home: 'ores' },
      { identity, answer: 'a', out: 'b' },
      { identity, answer: at('none.json') },
      { identity, home: 'ores', root: 'a', rootFingerprint: 'ab' },
      { identity, home: 'ores', rootFingerprint: 'ab' },
      { identity, home: 'ores', root: at('none.crt') },
      { identity, home: 'ores', guest: ['ores'] },
      { identity, home: 'ores', guest: ['farys,resa', 'farys'] },
      { identity, home: 'ores', guest: [Array.from({ length: 17 }, (_, at) => `t${at}`).join()] },
      { identity, home: 'ores', out: identity },
      { identity, home: 'ores', out: `${identity}.pending` },
      { config: config([identity]), home: 'ores', development: true },
      { config: config([identity, newDevice()]), home: 'ores' },
      { config: config([identity]), identity: newDevice(), home: 'ores' },
    ];
    for (const flags of wrong)
      await expect(edge(flags), JSON.stringify(flags)).rejects.toEqual(refused('ERR_USAGE', 2));
    await expect(edge({ identity, home: 'Ores' })).rejects.toEqual(refused('ERR_IDENTITY_TENANT', 1));
    await expect(edge({ config: at('none.yaml'), home: 'ores' })).rejects.toEqual(
      refused('ERR_CONFIG_FILE', 78),
    );
    expect(existsSync(identity)).toBe(false);
    expect(existsSync(`${identity}.pending`)).toBe(false);
  });

  it('asks with what edge.yaml says, and takes the answer with the same words', async () => {
    const identity = newDevice();
    const file = config([identity]);
    const [out, answer] = [at('r1.json'), at('a1.json')];
    const asked = await edge({ config: file, home: 'ores', root: pki.layout.root.certificate, out });
    expect(asked.err).toBe('');
    expect(asked.out).toContain(`hes edge enrol --config ${file} --answer`);
    expect(asked.out).not.toContain('--root-fingerprint');
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ home: 'ores', guests: ['farys'] });
    expect(statSync(out).mode & 0o777).toBe(0o644);
    await operator(out, { out: answer });
    const taken = await edge({ config: file, answer, json: true });
    expect(JSON.parse(taken.out)).toMatchObject({ state: 'enrolled', again: false, home: 'ores', identity });
    expect(JSON.parse((await edge({ config: file, answer, json: true })).out)).toMatchObject({ again: true });
    await expect(edge({ config: file, home: 'ores' })).rejects.toEqual(refused('ERR_ENROL_EXISTS', 1));
    const elsewhere = config([newDevice()], false);
    await edge({ config: elsewhere, home: 'ores', out });
    await operator(out, { out: answer });
    await expect(edge({ config: elsewhere, answer, root: pki.layout.root.certificate })).rejects.toEqual(
      refused('ERR_TRUST_DEVELOPMENT', 1),
    );
  });

  it('runs through standard output, and shows the root until it is confirmed', async () => {
    const identity = newDevice();
    const [request, answer] = [at('r2.json'), at('a2.json')];
    const asked = await edge({ identity, development: true, home: 'ores', guest: ['farys'] });
    expect(asked.err).toContain('--root-fingerprint');
    writeFileSync(request, asked.out);
    // Again without a word about whom it asked: it knows, and the request is the same to the last byte.
    const again = await edge({ identity, development: true });
    expect(again.out).toBe(asked.out);
    expect(again.err).toContain('Going on with');
    writeFileSync(answer, (await operator(request)).out);
    const taking = { identity, development: true, answer };
    await expect(edge(taking)).rejects.toEqual(refused('ERR_ENROL_ROOT', 1));
    const { rootFingerprint } = JSON.parse((await operator(request, { out: answer, json: true })).out) as {
      rootFingerprint: string;
    };
    const taken = await edge({ ...taking, rootFingerprint: rootFingerprint.toUpperCase() });
    expect(taken.out).toMatch(/This is device [0-9a-f]{16} of ores, farys/);
  });

  it('never says a key, whatever happens', async () => {
    const identity = newDevice();
    const out = at('r3.json');
    const texts: string[] = [];
    const keep = async (run: Promise<{ out: string; err: string }>) => {
      try {
        const { out: one, err: two } = await run;
        texts.push(one, two);
      } catch (error) {
        for (let at: unknown = error; at instanceof Error; at = at.cause) texts.push(at.stack ?? at.message);
      }
    };
    await keep(edge({ identity, home: 'ores', out }));
    const keys = Object.values(readPending(identity)!.keys);
    const pending = `${identity}.pending`;
    // Files taken for one another are the likeliest accident.
    await keep(operator(pending));
    await keep(edge({ identity, answer: pending }));
    await keep(edge({ identity: newDevice(), home: 'ores', root: pending }));
    await keep(edge({ identity: pending, home: 'ores' }));
    await keep(edge({ config: pending, home: 'ores' }));
    await keep(edge({ identity, json: true, out }));
    texts.push(readFileSync(out, 'utf8'));
    expect(texts.length).toBeGreaterThan(8);
    for (const key of keys) {
      const secret = key.split('\n')[1]!.slice(40, 60);
      expect(texts.filter((text) => text.includes(secret))).toEqual([]);
    }
    expect(readdirSync(join(identity, '..'))).toEqual(['identity.json.pending']);
  });
});

describe('hes pki enrol', () => {
  it('refuses what is no request, and names that are none', async () => {
    await expect(operator(at('none.json'))).rejects.toEqual(refused('ERR_USAGE', 2));
    writeFileSync(at('bad.json'), '{}');
    await expect(operator(at('bad.json'))).rejects.toEqual(refused('ERR_ENROL_REQUEST', 1));
    await expect(operator(at('bad.json'), { device: 'x' })).rejects.toEqual(refused('ERR_USAGE', 2));
    const out = at('r4.json');
    await edge({ identity: newDevice(), home: 'ores', out });
    await expect(operator(out, { out: at('no/such/folder.json') })).rejects.toEqual(refused('ERR_USAGE', 2));
    await expect(operator(out, { data: at('nothing') })).rejects.toEqual(refused('ERR_PKI_ABSENT', 1));
  });

  it('says that it answered before, with the same answer', async () => {
    const [out, first, second] = [at('r5.json'), at('a5.json'), at('b5.json')];
    await edge({ identity: newDevice(), home: 'ores', out });
    const device = 'fedcba9876543210';
    await operator(out, { out: first, device });
    expect((await operator(out, { out: second })).out).toContain(
      `Device ${device} of ores was enrolled before`,
    );
    expect(readFileSync(second, 'utf8')).toBe(readFileSync(first, 'utf8'));
  });
});
