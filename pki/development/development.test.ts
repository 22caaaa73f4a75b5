import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import { DAY_MS, FARYS, FLUVIUS, NOW_MS, ORES } from '../testing/field.ts';
import { loadSealingKey, loadServerKey } from '../trust.ts';
import {
  createDevelopmentPki,
  loadDevelopmentPki,
  openDevelopmentPki,
  type pkiLayout,
} from './development.ts';

const home = mkdtempSync(join(tmpdir(), 'hes-pki-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
let count = 0;
const folder = () => join(home, `data-${++count}`, 'pki');
const tenants = [ORES, FLUVIUS, FARYS];
const create = (directory = folder()) => createDevelopmentPki({ directory, tenants, nowMs: NOW_MS });
const load = (directory: string, nowMs = NOW_MS) =>
  loadDevelopmentPki({ directory, nowMs, development: true });
const code = (name: string) => expect.objectContaining({ code: name });
const filesUnder = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Rights mean nothing to root: become nobody for as long as it takes. */
function asNoRoot(run: () => void): void {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    run();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

const pki = create();
const { layout } = pki;

describe('opening a development PKI', () => {
  it('is refused unless development mode is said', () => {
    const options = { directory: layout.directory, tenants, nowMs: NOW_MS, development: false };
    expect(() => loadDevelopmentPki(options)).toThrow(code('ERR_PKI_DEVELOPMENT'));
    expect(() => openDevelopmentPki(options)).toThrow(code('ERR_PKI_DEVELOPMENT'));
    const empty = folder();
    expect(() => openDevelopmentPki({ ...options, directory: empty })).toThrow(code('ERR_PKI_DEVELOPMENT'));
    expect(existsSync(empty)).toBe(false);
  });

  it('is refused when the manifest does not say that the keys are for development', () => {
    const { layout: own } = create();
    const manifest: object = JSON.parse(readFileSync(own.manifest, 'utf8'));
    writeFileSync(own.manifest, JSON.stringify({ ...manifest, development: false }));
    expect(() => load(own.directory)).toThrow(code('ERR_PKI_DEVELOPMENT'));
  });

  it('says that there is none, and how to make it, for a missing or empty folder', () => {
    expect(() => load(folder())).toThrow(code('ERR_PKI_ABSENT'));
    const empty = folder();
    mkdirSync(empty, { recursive: true });
    expect(() => load(empty)).toThrow(/hes pki init/);
  });

  const needed = (own: ReturnType<typeof pkiLayout>) =>
    filesUnder(own.directory).filter(
      (file) =>
        ![own.root.key, own.office.root.key].includes(file) &&
        // Checked by those who use them.
        !/head-end|\/people\//.test(file),
    );

  it('names the one file that is missing', () => {
    const { layout: own } = create();
    for (const file of needed(own)) {
      const text = readFileSync(file);
      rmSync(file);
      expect(() => load(own.directory), file).toThrow(
        expect.objectContaining({ code: 'ERR_PKI_DAMAGED', message: expect.stringContaining(file) }),
      );
      writeFileSync(file, text);
    }
    expect(load(own.directory).tenants).toEqual(tenants);
  });

  it('names the one file that is cut short or empty', () => {
    const { layout: own } = create();
    for (const file of needed(own)) {
      const text = readFileSync(file, 'utf8');
      for (const damaged of ['', text.slice(0, text.length / 2)]) {
        writeFileSync(file, damaged);
        expect(() => load(own.directory), file).toThrow(
          expect.objectContaining({
            code: 'ERR_PKI_DAMAGED',
            message: expect.stringContaining(own.directory),
          }),
        );
      }
      writeFileSync(file, text);
    }
  });

  it('does not take a key or a CA from another place', () => {
    const other = create().layout;
    for (const pick of [
      (own: typeof other) => own.root.certificate,
      (own: typeof other) => own.front.key,
      (own: typeof other) => own.issuing(ORES).certificate,
      (own: typeof other) => own.issuing(ORES).key,
    ]) {
      const own = create().layout;
      writeFileSync(pick(own), readFileSync(pick(other)));
      expect(() => load(own.directory)).toThrow(code('ERR_PKI_DAMAGED'));
    }
    const mixed = create().layout;
    for (const what of ['certificate', 'key'] as const)
      writeFileSync(mixed.issuing(ORES)[what], readFileSync(mixed.issuing(FLUVIUS)[what]));
    expect(() => load(mixed.directory)).toThrow(code('ERR_PKI_DAMAGED'));
  });

  it('names the file that may not be read', () => {
    const { layout: own } = create();
    chmodSync(home, 0o711);
    for (const entry of readdirSync(join(own.directory, '..'), { recursive: true, withFileTypes: true }))
      chmodSync(join(entry.parentPath, entry.name), entry.isFile() ? 0o644 : 0o755);
    chmodSync(join(own.directory, '..'), 0o755);
    chmodSync(own.issuing(ORES).key, 0);
    asNoRoot(() =>
      expect(() => load(own.directory)).toThrow(
        expect.objectContaining({ code: 'ERR_PKI_RIGHTS', message: expect.stringContaining('issuing.key') }),
      ),
    );
  });

  it('says so when its CAs have expired', () => {
    expect(() => load(layout.directory, NOW_MS + 12 * 365 * DAY_MS)).toThrow(code('ERR_PKI_EXPIRED'));
  });

  it('says so when it was made for fewer tenants', () => {
    const wanted = CONSORTIUM.map(({ id }) => id);
    const options = { directory: layout.directory, tenants: wanted, nowMs: NOW_MS, development: true };
    expect(() => openDevelopmentPki(options)).toThrow(/resa, sibelga/);
  });
});

describe('making a development PKI', () => {
  it('never overwrites one, nor anything else that lies there', () => {
    const before = readFileSync(layout.root.certificate, 'utf8');
    expect(() => create(layout.directory)).toThrow(code('ERR_PKI_EXISTS'));
    expect(readFileSync(layout.root.certificate, 'utf8')).toBe(before);
    const other = folder();
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'letter.txt'), 'keep me');
    expect(() => create(other)).toThrow(code('ERR_PKI_EXISTS'));
    expect(readdirSync(other)).toEqual(['letter.txt']);
    expect(readdirSync(join(other, '..'))).toEqual(['pki']);
  });

  it('says which place cannot be written', () => {
    const file = join(home, 'file');
    writeFileSync(file, '');
    expect(() => create(join(file, 'pki'))).toThrow(code('ERR_PKI_DAMAGED'));
    expect(() => create('/proc/hes/pki')).toThrow(/\/proc\/hes/);
  });

  it('sweeps away what a start that was killed long ago left, and spares one that may still run', () => {
    const directory = folder();
    const parent = join(directory, '..');
    const [old, young] = [join(parent, '.pki.new-1-aa'), join(parent, '.pki.new-2-bb')];
    for (const leftover of [old, young]) mkdirSync(leftover, { recursive: true });
    utimesSync(old, 1, 1);
    create(directory);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });

  it('happens once: the second start opens what the first one made', () => {
    const options = { directory: folder(), tenants, nowMs: NOW_MS, development: true };
    const first = openDevelopmentPki(options);
    const second = openDevelopmentPki(options);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.pki.root.pem).toBe(first.pki.root.pem);
  });

  it('leaves keys to their owner alone', () => {
    for (const file of filesUnder(layout.directory)) expect(statSync(file).mode & 0o777, file).toBe(0o600);
    expect(statSync(layout.directory).mode & 0o777).toBe(0o700);
  });

  it('gives front and routers what they can open, in development mode only', () => {
    expect(loadServerKey(layout.front, { development: true }).cert.match(/BEGIN/g)).toHaveLength(2);
    expect(() => loadServerKey(layout.front)).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    for (const tenant of tenants) {
      const { kid } = pki.owners.get(tenant)!;
      const key = loadSealingKey(layout.sealing(tenant, kid), { tenant, development: true });
      expect(Buffer.from(key.kid).toString('hex')).toBe(kid);
    }
  });
});
