import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { Counters } from '../../runtime/counters.ts';
import { createLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { memoryFiles } from '../testing/files.ts';
import { releaseLock } from '../testing/kill.ts';
import type { OutboxFiles } from './files.ts';
import { encodeFrame, encodeHead } from './frames.ts';
import { inspectOutbox } from './inspect.ts';
import type { OutboxLimits } from './limits.ts';
import { type NewEntry, Outbox } from './outbox.ts';

const DEVICE = '00112233445566ff' as DeviceId;
const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const DAY = 20_585;
const FULL_BYTES = 1_600;
const LEAN_BYTES = 500;

let directory: string;
let files: ReturnType<typeof memoryFiles>;
let counters: Counters;
let lines: string[];
let open: Outbox[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-thin-'));
  files = memoryFiles();
  counters = new Counters();
  lines = [];
});

afterEach(() => {
  for (const outbox of open) outbox.close();
  open = [];
  rmSync(directory, { recursive: true });
});

function openOutbox(limits: Partial<OutboxLimits>, disk: OutboxFiles = files): Outbox {
  for (const outbox of open.splice(0)) outbox.close();
  const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
  const outbox = Outbox.open({ directory, device: DEVICE, limits, files: disk, counters, log });
  open.push(outbox);
  return outbox;
}

function form(length: number, ...seed: (string | number)[]) {
  const random = seededRandom(...seed);
  const bytes = (size: number) => Uint8Array.from({ length: size }, () => Math.floor(random() * 256));
  return { sealed: bytes(length), receiptKey: bytes(32) };
}

function entry(day: number, owner = ORES): NewEntry {
  const lean = form(LEAN_BYTES, 'lean', owner, day);
  return { owner, day, sequence: day, ...form(FULL_BYTES, 'full', owner, day), lean };
}

const formOf = (outbox: Outbox, day: number, owner = ORES): 'full' | 'lean' | 'gone' => {
  const stored = outbox.pending().find((one) => one.day === day && one.owner === owner);
  if (stored === undefined) return 'gone';
  const { sealed, receiptKey } = outbox.read(stored);
  const { lean, ...full } = entry(day, owner);
  const name = sealed.length === LEAN_BYTES ? 'lean' : 'full';
  const expected = name === 'lean' ? lean! : full;
  expect([Buffer.from(sealed), Buffer.from(receiptKey)]).toEqual([
    Buffer.from(expected.sealed),
    Buffer.from(expected.receiptKey),
  ]);
  return name;
};

const forms = (outbox: Outbox, count: number) =>
  Array.from({ length: count }, (_, index) => formOf(outbox, DAY + index));

const fileBytes = (): number => files.read(join(directory, 'outbox'))?.length ?? 0;

describe('an outbox without room', () => {
  test('gives up the oldest profiles first, then the oldest readings, and says both', async () => {
    const outbox = openOutbox({ bytesMax: 12_000 });
    const history: string[] = [];
    for (let index = 0; index < 22; index++) {
      await outbox.append([entry(DAY + index)]);
      expect(fileBytes()).toBeLessThanOrEqual(12_000);
      history.push(
        forms(outbox, index + 1)
          .map((name) => name[0])
          .join(''),
      );
    }
    expect(history[3]).toBe('ffff');
    expect(history[4]).toBe('lffff'.slice(0, 5));
    expect(history.at(-1)).toMatch(/^g+l+f*$/);
    // Profiles went as long as there was one older than the newest, before any reading did.
    const firstGone = history.find((line) => line.includes('g'))!;
    expect(firstGone).toMatch(/^gl+$/);
    const { thinned, dropped } = outbox.status();
    expect(counters.get('edge.outbox.dropped')).toBe(dropped);
    expect(counters.get('edge.outbox.thinned')).toBeGreaterThanOrEqual(thinned);
    expect(lines.some((line) => line.includes('gave up the oldest profiles'))).toBe(true);
    expect(lines.some((line) => line.includes('gave up the oldest readings'))).toBe(true);
  });

  test('keeps over restarts and new files which readings have lost their profile', async () => {
    const limits = { bytesMax: 12_000 };
    let outbox = openOutbox(limits);
    for (let index = 0; index < 8; index++) {
      await outbox.append([entry(DAY + index), ...(index % 4 === 0 ? [entry(DAY + index, FARYS)] : [])]);
      const before = [...forms(outbox, 8), formOf(outbox, DAY, FARYS), formOf(outbox, DAY + 4, FARYS)];
      const status = outbox.status();
      expect(inspectOutbox({ directory, device: DEVICE, limits, files })).toEqual({ ...status, dropped: 0 });
      outbox = openOutbox(limits);
      expect([...forms(outbox, 8), formOf(outbox, DAY, FARYS), formOf(outbox, DAY + 4, FARYS)]).toEqual(
        before,
      );
      expect(outbox.status()).toEqual({ ...status, dropped: 0 });
    }
  });

  test('never gives up the newest reading of an owner that fell silent long ago', async () => {
    const outbox = openOutbox({ bytesMax: 8_000 });
    await outbox.append([entry(DAY, FARYS)]);
    for (let index = 1; index < 40; index++) await outbox.append([entry(DAY + index)]);
    expect(formOf(outbox, DAY, FARYS)).toBe('lean');
    expect(outbox.status().dropped).toBeGreaterThan(10);
  });

  test('gives up refused readings before those that wait', async () => {
    const outbox = openOutbox({ bytesMax: 8_000 });
    for (let index = 0; index < 4; index++) await outbox.append([entry(DAY + index)]);
    outbox.settle([{ entry: outbox.pending()[2]!, verdict: 'refused', code: 'schema' }]);
    for (let index = 4; index < 12; index++) await outbox.append([entry(DAY + index)]);
    expect(outbox.status()).toMatchObject({ parked: 0, dropped: 1, pending: 11 });
    expect(formOf(outbox, DAY)).toBe('lean');
  });

  test('gives up nothing when the disk refuses the new file, and the day stays open', async () => {
    let full = false;
    const disk: OutboxFiles = {
      ...files,
      replace(path, bytes) {
        if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
        files.replace(path, bytes);
      },
    };
    const outbox = openOutbox({ bytesMax: 8_100 }, disk);
    for (let index = 0; index < 3; index++) await outbox.append([entry(DAY + index)]);
    full = true;
    await expect(outbox.append([entry(DAY + 3)])).rejects.toThrow(
      expect.objectContaining({ code: 'ERR_OUTBOX_WRITE' }),
    );
    expect(forms(outbox, 4)).toEqual(['full', 'full', 'full', 'gone']);
    expect(outbox.status()).toMatchObject({ failing: true, thinned: 0, dropped: 0 });
    expect(outbox.isClosed(ORES, DAY + 3)).toBe(false);
    full = false;
    await outbox.append([entry(DAY + 3)]);
    expect(forms(outbox, 4)).toEqual(['lean', 'full', 'full', 'full']);
    expect(outbox.status()).toMatchObject({ failing: false, thinned: 1 });
  });

  test('has all of it or nothing after a kill: a reading is never gone for one that was not stored', async () => {
    let during: Buffer | undefined;
    const disk: OutboxFiles = {
      ...files,
      replace(path, bytes) {
        during = files.read(path);
        files.replace(path, bytes);
      },
    };
    const outbox = openOutbox({ bytesMax: 8_000 }, disk);
    for (let index = 0; index < 10; index++) await outbox.append([entry(DAY + index)]);
    const path = join(directory, 'outbox');
    const after = files.read(path)!;
    for (const bytes of [during!, after]) {
      files.replace(path, bytes);
      releaseLock(directory);
      const found = openOutbox({ bytesMax: 8_000 }).pending();
      const days = found.map(({ day }) => day);
      expect(days).toEqual(days.map((_, index) => days[0]! + index));
      expect(days[0]).toBe(DAY);
    }
  });
});

test('a file of the program before lean forms opens as ever, and its readings cannot be thinned', async () => {
  const old = (day: number) => ({ owner: ORES, day, sequence: day, ...form(1_600, 'full', ORES, day) });
  const path = join(directory, 'outbox');
  files.replace(
    path,
    Buffer.concat([
      encodeHead(DEVICE),
      encodeFrame([{ kind: 'owner', owner: ORES, through: DAY - 1, lastSequence: DAY - 1 }]),
      ...[0, 1, 2].map((index) => encodeFrame([{ kind: 'entry', ...old(DAY + index) }])),
      encodeFrame([{ kind: 'delivered', owner: ORES, sequence: DAY }]),
    ]),
  );
  const outbox = openOutbox({ bytesMax: 8_000 });
  expect(outbox.pending().map(({ day }) => day)).toEqual([DAY + 1, DAY + 2]);
  for (let index = 3; index < 9; index++) await outbox.append([entry(DAY + index)]);
  expect([formOf(outbox, DAY + 1), formOf(outbox, DAY + 2)]).toEqual(['full', 'full']);
  expect(formOf(outbox, DAY + 3)).toBe('lean');
});

test('a look at an outbox touches nothing and finds none where there is none', () => {
  expect(inspectOutbox({ directory, device: DEVICE, files })).toBeUndefined();
  expect(files.content.size).toBe(0);
});
