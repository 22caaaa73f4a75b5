import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import type { DailyIndex, ObisCode } from '../../protocol/reading.ts';
import { canariesOf, canaryMeters, needlesOf } from '../support/canaries.ts';
import { TENANTS } from '../support/field.ts';
import { canariesIn, Search } from '../support/search.ts';

/** The search of the retain proof by itself: a search that finds nothing must be one that would have found something. */
const meters = canaryMeters(11, TENANTS);
const canaries = canariesOf(meters);
const needles = needlesOf(canaries);
const search = new Search(needles);
const folder = mkdtempSync(join(tmpdir(), 'hes-search-'));
afterAll(() => rmSync(folder, { recursive: true }));

const MEBIBYTE = 1_048_576;

function noise(bytes: number, seed: number): Buffer {
  const random = seededRandom(seed, 'noise');
  return Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
}

describe('the search for canaries', () => {
  it('finds nothing in noise', () => {
    expect(search.inBytes(noise(MEBIBYTE, 1))).toEqual([]);
  });

  it('finds every needle wherever it stands: among noise, among zeros, at the very end', () => {
    for (const [at, needle] of needles.entries()) {
      const before = at % 2 === 0 ? noise(61 + (at % 7), at) : Buffer.alloc(16_384 + (at % 5));
      for (const after of [Buffer.alloc(0), Buffer.alloc(40_000)]) {
        const hits = search.inBytes(Buffer.concat([before, needle.bytes, after]));
        expect(
          hits.some(
            ({ canary, form, count }) => canary === needle.canary && form === needle.form && count === 1,
          ),
          `${needle.canary} as ${needle.form}`,
        ).toBe(true);
      }
    }
  });

  it('finds what lies across two of the pieces that a large file is read in', () => {
    const piece = 32 * MEBIBYTE;
    const { bytes, canary, form } = needles[0]!;
    const file = join(folder, 'large');
    for (const shift of [-bytes.length, -bytes.length + 1, -3, -1, 0, 1]) {
      const content = Buffer.alloc(piece + 4_096);
      bytes.copy(content, piece + shift);
      writeFileSync(file, content);
      expect(search.inFile(file), `${shift}`).toEqual([{ canary, form, count: 1 }]);
    }
  });

  it.each(meters)('finds all of the payload of $name in base64, hex and as it is, at any place', (meter) => {
    const index: DailyIndex = {
      version: 1,
      tenant: meter.owner,
      device: '0123456789abcdef' as DailyIndex['device'],
      sequence: 7,
      day: '2026-03-28',
      capturedAt: { epochSeconds: 1_774_738_800, offsetMinutes: 60 },
      clock: 'synchronised',
      meters: [
        {
          medium: 'electricity',
          channel: 0,
          serial: meter.serial,
          ean: meter.ean,
          flags: 0,
          registers: [
            {
              obis: '1-0:1.8.1' as ObisCode,
              value: meter.closing,
              scaler: 0,
              unit: 'Wh',
              time: null,
              flags: 0,
            },
          ],
          profiles: [
            {
              obis: '1-0:1.8.1' as ObisCode,
              scaler: 0,
              unit: 'Wh',
              start: 1_774_652_400,
              periodSeconds: 900,
              deltas: [...meter.curve, ...meter.curve],
            },
          ],
          peaks: [],
          extremes: [],
        },
      ],
    };
    const all = ['curve', 'ean', 'index', 'serial'].map((what) => `${meter.name}.${what}`);
    for (const shift of [0, 1, 2]) {
      const payload = Buffer.concat([noise(shift, 3), encodeDailyIndex(index)]);
      const forms = [payload, payload.toString('hex'), payload.toString('hex').toUpperCase()];
      for (const form of [...forms, payload.toString('base64'), payload.toString('base64url')])
        expect(canariesIn(search.inBytes(Buffer.from(form)))).toEqual(all);
    }
  });

  it('looks at every file of a tree but those that it is told to skip, and at their names', () => {
    const secret = String(canaries[0]!.secret);
    const tree = join(folder, 'tree');
    mkdirSync(join(tree, 'a', 'b'), { recursive: true });
    mkdirSync(join(tree, 'skipped'));
    writeFileSync(join(tree, 'a', 'b', 'clean'), 'nothing');
    writeFileSync(join(tree, 'a', 'b', 'dirty'), `x${secret}`);
    writeFileSync(join(tree, 'a', `${secret}.json`), '');
    writeFileSync(join(tree, 'skipped', 'dirty'), secret);
    const { files, hits } = search.inTree(tree, (path) => path.startsWith('skipped'));
    expect(files.toSorted()).toEqual([`a/${secret}.json`, 'a/b/clean', 'a/b/dirty']);
    expect(Object.keys(hits).toSorted()).toEqual([`a/${secret}.json`, 'a/b/dirty']);
  });
});
