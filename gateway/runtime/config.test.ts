import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { between, CONFIG_BYTES_MAX, loadConfig, parseConfig } from './config.ts';

const schema = z
  .strictObject({
    host: z.string().default('127.0.0.1'),
    held: z.strictObject({ inAllMax: z.int().positive(), perTenantMax: z.int().positive() }),
    tenants: z.array(z.strictObject({ id: z.string(), mdm: z.url().optional() })).default([]),
  })
  .superRefine(
    between(
      ['held.perTenantMax', 'held.inAllMax'],
      ({ held }) => held.perTenantMax <= held.inAllMax,
      'one tenant may not hold more than all',
    ),
  );

const NOBODY = 65_534;
const GOOD = { held: { inAllMax: 10, perTenantMax: 5 } };
const folder = mkdtempSync(join(tmpdir(), 'hes-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(content: string): string {
  const path = join(folder, `${crypto.randomUUID()}.conf`);
  writeFileSync(path, content);
  return path;
}

describe('configuration', () => {
  it.each([
    ['at the top', { ...GOOD, hots: 'x' }, 'unknown key hots'],
    ['inside', { held: { ...GOOD.held, perTenantMaxx: 3 } }, 'unknown key held.perTenantMaxx'],
    ['in a list', { ...GOOD, tenants: [{ id: 'a' }, { id: 'b', mmd: 'x' }] }, 'unknown key tenants[1].mmd'],
  ])('names the path of an unknown key %s', (_where, value, message) => {
    expect(() => parseConfig(schema, value)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringContaining(message) as string }),
    );
  });

  it('names every fault of several', () => {
    expect(() => parseConfig(schema, { held: { inAllMax: 'many' }, x: 1 })).toThrow(
      /held\.inAllMax.*held\.perTenantMax.*unknown key x/s,
    );
  });

  it('names both keys of a rule between keys', () => {
    expect(() => parseConfig(schema, { held: { inAllMax: 5, perTenantMax: 6 } })).toThrow(
      'held.perTenantMax and held.inAllMax: one tenant may not hold more than all',
    );
  });

  it('refuses a schema that would let unknown keys pass', () => {
    const careless = z.strictObject({ list: z.array(z.object({ id: z.string() })) });
    expect(() => parseConfig(careless, { list: [] })).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG_SCHEMA' }),
    );
  });

  it.each([
    ['missing', () => join(folder, 'absent.yaml'), 'no such file'],
    ['a folder', () => folder, 'is a folder'],
    ['too large', () => file(`# ${'x'.repeat(CONFIG_BYTES_MAX)}`), 'larger than'],
  ])('says that the file is %s', async (_what, path, message) => {
    await expect(loadConfig(schema, { file: path() })).rejects.toMatchObject({
      code: 'ERR_CONFIG_FILE',
      message: expect.stringContaining(message) as string,
    });
  });

  it('says that the file may not be read', async () => {
    const path = file('host: a');
    chmodSync(path, 0);
    // The superuser may read anything: become somebody else for a moment.
    const wasRoot = process.getuid?.() === 0;
    if (wasRoot) process.seteuid?.(NOBODY);
    try {
      await expect(loadConfig(schema, { file: path })).rejects.toMatchObject({
        code: 'ERR_CONFIG_FILE',
        message: expect.stringContaining('may not be read') as string,
      });
    } finally {
      if (wasRoot) process.seteuid?.(0);
    }
  });

  it.each([['held: [1, 2'], ['host: a\nhost: b'], ['{"host": "a",, }'], ['a: &x 1\nb: *y']])(
    'gives line and column of what is neither YAML nor JSON, and does not quote it: %j',
    async (content) => {
      const error = await loadConfig(schema, { file: file(content) }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'ERR_CONFIG_SYNTAX' });
      expect((error as Error).message).toMatch(/line \d+, column \d+|reference/i);
    },
  );

  it('refuses a text that grows by its own references', async () => {
    const bomb = ['a0: &a0 [x,x,x,x,x,x,x,x,x]'];
    for (let i = 1; i < 9; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(',')}]`,
      );
    await expect(loadConfig(schema, { file: file(bomb.join('\n')) })).rejects.toMatchObject({
      code: 'ERR_CONFIG_SYNTAX',
    });
  });

  it('refuses an endless standard input', async () => {
    const endless = Readable.from(
      (function* () {
        for (;;) yield Buffer.alloc(65_536, ' ');
      })(),
    );
    await expect(loadConfig(schema, { file: '-', stdin: endless })).rejects.toMatchObject({
      code: 'ERR_CONFIG_FILE',
    });
  });

  it('refuses an empty file by what is missing in it', async () => {
    await expect(loadConfig(schema, { file: file('') })).rejects.toMatchObject({ code: 'ERR_CONFIG' });
  });

  it('reads YAML, JSON, standard input and an object alike', async () => {
    const yaml = 'held:\n  inAllMax: 10\n  perTenantMax: 5 # per tenant\n';
    const json = JSON.stringify(GOOD);
    const expected = { host: '127.0.0.1', held: GOOD.held, tenants: [] };
    expect(await loadConfig(schema, { file: file(yaml) })).toEqual(expected);
    expect(await loadConfig(schema, { file: file(json) })).toEqual(expected);
    expect(await loadConfig(schema, { file: '-', stdin: Readable.from([json]) })).toEqual(expected);
    expect(await loadConfig(schema, { object: GOOD })).toEqual(expected);
  });

  it('is frozen to its depth', () => {
    const config = parseConfig(schema, { ...GOOD, tenants: [{ id: 'ores' }] });
    expect(() => {
      (config.tenants[0] as { id: string }).id = 'resa';
    }).toThrow(TypeError);
  });
});
