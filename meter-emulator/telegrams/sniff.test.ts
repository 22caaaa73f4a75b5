import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeTelegram } from '../p1/encode.ts';
import { stateOf } from '../p1/example.ts';
import { findRecordings } from './files.ts';
import { beginsLikeTelegram } from './sniff.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-sniff-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content, 'latin1');
  return path;
};
const whole = encodeTelegram('emucs-2.1.1', stateOf(1));

describe('a file in which a telegram begins', () => {
  it.each([
    ['nothing', ''],
    ['prose', '# Recordings\n\nSee https://example.org/dsmr/examples and ../shared/telegrams\n'],
    ['a path at the start of a line', '/usr/share/doc/telegrams\n/etc/hosts (the file)\n'],
    ['a header within a sentence', 'the first line is `/ISk5\\2MT382-1000`\n'],
    ['a table of codes', '| 1-0:1.8.1 | kWh |\n1-0:1.8.1 is the day register\n'],
    ['git attributes', '* -text\n'],
    ['a picture', '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xdb\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff'],
  ])('is none with %s', async (_, content) => {
    expect(await beginsLikeTelegram(write('file', content))).toBe(false);
  });

  it.each([
    ['a whole telegram', whole],
    ['a telegram after noise', `\xff\0half a line\r\n${whole}`],
    ['a first line only', '/FLU5\\253769484_A\r\n'],
    ['a first line without an end', '/NWA-WARMTELINK'],
    ['a telegram with a wrong CRC', whole.replace('2.8.2', '2.8.3')],
    ['a telegram that lost its start', whole.slice(200)],
    ['an encrypted frame', '\xdb\x08SYSTEMID\x82\x01\xf2\x30\0\0\0\x01'],
    ['the rest of an encrypted frame and another', '\x11\x7f\xdb\x08SYSTEMID\x81\x90\x30\0\0\0\x01'],
  ])('is one with %s', async (_, content) => {
    expect(await beginsLikeTelegram(write('file', content))).toBe(true);
  });
});

describe('a folder', () => {
  it('without a telegram is refused by its name', async () => {
    write('README.md', 'no telegram\n');
    await expect(findRecordings(folder)).rejects.toMatchObject({
      code: 'ERR_TELEGRAMS_PATH',
      message: `${folder} holds no file in which a P1 telegram begins`,
    });
  });

  it('has its other files skipped, and told', async () => {
    write('README.md', 'no telegram\n');
    write('damaged.txt', whole.slice(0, 90));
    write('meter.txt', whole);
    const { recordings, skipped } = await findRecordings(folder);
    expect(recordings.map(({ name }) => name)).toEqual(['damaged.txt', 'meter.txt']);
    expect(skipped.map(({ name }) => name)).toEqual(['README.md']);
  });

  it('is not what a file named by itself is judged as: that one is kept, to be refused', async () => {
    const { recordings } = await findRecordings(write('README.md', 'no telegram\n'));
    expect(recordings.map(({ name }) => name)).toEqual(['README.md']);
  });
});
