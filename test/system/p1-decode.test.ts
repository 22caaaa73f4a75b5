import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EMUCS_1_7_1, LUXEMBOURG, sealed } from '../../gateway/edge/p1/example.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG } from '../../gateway/edge/p1/glo-keys.ts';
import { sealGlo } from '../../gateway/edge/p1/glo-seal.ts';

const HES = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');
const TELEGRAM = sealed(EMUCS_1_7_1);
const KEY = '000102030405060708090a0b0c0d0e0f';
const ENCRYPTED = sealGlo(Buffer.from(sealed(LUXEMBOURG), 'latin1'), {
  keys: { encryption: Buffer.from(KEY, 'hex'), authentication: AUTHENTICATION_KEY_LUXEMBOURG },
  title: Buffer.from('SAG00001'),
  counter: 1,
});

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-p1-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hes(
  args: readonly string[],
  input: string | Uint8Array = '',
): { code: number; out: unknown[]; err: string } {
  const bytes = typeof input === 'string' ? Buffer.from(input, 'latin1') : input;
  const ran = spawnSync(process.execPath, [HES, 'p1', 'decode', ...args], { input: bytes, encoding: 'utf8' });
  const lines = ran.stdout.split('\n').filter((line) => line !== '');
  return { code: ran.status ?? -1, out: lines.map((line) => JSON.parse(line) as unknown), err: ran.stderr };
}

describe('hes p1 decode --json', () => {
  it('gives a telegram with a wrong CRC no value, and ends with 1', () => {
    const wrong = TELEGRAM.replace('000812.404', '000812.405');
    expect(hes(['--json'], wrong)).toMatchObject({ code: 1, out: [{ crc: 'invalid' }] });
    expect(hes(['--json'], wrong).out).toEqual([{ crc: 'invalid' }]);
  });

  it('reads the telegram behind a wrong one, and still ends with 1', () => {
    const { code, out } = hes(['--json', '-'], `${TELEGRAM.slice(0, 300)}${TELEGRAM}`);
    expect(code).toBe(1);
    expect(out).toMatchObject([{ crc: 'invalid' }, { crc: 'valid', header: 'FLU5\\253770234_A' }]);
  });

  it('ends with 1 where there is nothing to read, and says what a port speaks', () => {
    expect(hes(['--json'], 'nothing')).toMatchObject({
      code: 1,
      out: [],
      err: expect.stringContaining('8N1'),
    });
  });

  it('names what is no P1, and what an encrypted frame holds that is none', () => {
    const hdlc = Buffer.concat([Buffer.from('7ea010', 'hex'), Buffer.alloc(14, 1), Buffer.from('7e', 'hex')]);
    expect(hes(['--json'], hdlc)).toMatchObject({ code: 1, out: [], err: expect.stringContaining('HDLC') });
    const pushed = sealGlo(Buffer.from('0f00000001000203', 'hex'), {
      keys: { encryption: Buffer.from(KEY, 'hex'), authentication: AUTHENTICATION_KEY_LUXEMBOURG },
      title: Buffer.from('KFM00001'),
      counter: 2,
    });
    expect(hes(['--json', '--key', KEY], pushed)).toMatchObject({
      code: 1,
      out: [{ crc: 'invalid' }],
      err: expect.stringContaining('DLMS notification'),
    });
  });

  it('reads a hex dump, UTF-16, and line ends of CR alone', () => {
    const dump = ENCRYPTED.toString('hex').replaceAll(/(..)/g, '$1 ');
    expect(hes(['--json', '--key', KEY], dump)).toMatchObject({ code: 0, out: [{ crc: 'valid' }] });
    const utf16 = Buffer.from(`\ufeff${TELEGRAM}`, 'utf16le');
    for (const bytes of [utf16, TELEGRAM.replaceAll('\n', ''), `\u00ef\u00bb\u00bf${TELEGRAM}`])
      expect(hes(['--json'], bytes)).toMatchObject({ code: 0, out: [{ crc: 'valid' }] });
  });

  it('names a file that is not there', () => {
    expect(hes(['/does/not/exist'])).toMatchObject({ code: 1, err: expect.stringContaining('ERR_P1_INPUT') });
  });

  it('refuses a key that is none, a key too few, and does not repeat it', () => {
    expect(hes(['--key', 'secret'])).toMatchObject({
      code: 2,
      err: expect.stringContaining('32 hex digits'),
    });
    expect(hes(['--auth-key', KEY]).code).toBe(2);
    expect(hes(['--accept-unverified']).code).toBe(2);
  });

  it('reads a file, and standard input where no file is named', () => {
    const file = join(folder, 'telegrams.txt');
    writeFileSync(file, TELEGRAM + TELEGRAM, 'latin1');
    expect(hes(['--json', file])).toMatchObject({ code: 0, out: [{ crc: 'valid' }, { crc: 'valid' }] });
    expect(hes(['--json'], TELEGRAM)).toMatchObject({ code: 0, out: [{ crc: 'valid' }] });
  });

  it('opens an encrypted telegram with its key, given or in a file, and not without', () => {
    const file = join(folder, 'key');
    writeFileSync(file, `${KEY}\n`);
    for (const key of [KEY, `@${file}`])
      expect(hes(['--json', '--key', key], ENCRYPTED)).toMatchObject({ code: 0, out: [{ crc: 'valid' }] });
    expect(hes(['--json'], ENCRYPTED)).toMatchObject({ code: 1, out: [{ crc: 'invalid' }] });
  });

  it('marks what no tag vouches for, and warns of it', () => {
    const altered = Buffer.from(ENCRYPTED);
    altered[altered.length - 1]! ^= 1;
    expect(hes(['--json', '--key', KEY], altered)).toMatchObject({ code: 1, out: [{ crc: 'invalid' }] });
    expect(hes(['--json', '--key', KEY, '--accept-unverified'], altered)).toMatchObject({
      code: 0,
      out: [{ crc: 'valid', unverified: true }],
      err: expect.stringContaining('WARNING'),
    });
  });

  it('prints each telegram as soon as it has come, while the stream goes on', async () => {
    const child = spawn(process.execPath, [HES, 'p1', 'decode', '--json'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (let turn = 0; turn < 3; turn += 1) {
      child.stdin.write(TELEGRAM, 'latin1');
      expect(JSON.parse((await lines.next()).value as string)).toMatchObject({ crc: 'valid' });
    }
    child.stdin.end();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('ends quietly when its reader has gone', async () => {
    const child = spawn(process.execPath, [HES, 'p1', 'decode', '--json'], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin.on('error', () => {});
    let said = '';
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    child.stdin.write(TELEGRAM, 'latin1');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const timer = setInterval(() => child.stdin.write(TELEGRAM.repeat(50), 'latin1'), 20);
    const [code] = await once(child, 'exit');
    clearInterval(timer);
    expect(code).toBe(0);
    expect(said).not.toContain('Error');
  });
});
