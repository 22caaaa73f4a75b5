import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { seededRandom } from '../../runtime/random.ts';
import { memoryFiles } from '../testing/files.ts';
import { nodeFiles, type OutboxFiles } from './files.ts';
import type { OutboxLimits } from './limits.ts';
import { type NewEntry, Outbox } from './outbox.ts';

const DEVICE = '00112233445566ff' as DeviceId;
const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const DAY = 20_585;

let directory: string;
let open: Outbox[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-outbox-'));
});

afterEach(() => {
  for (const outbox of open) outbox.close();
  open = [];
  rmSync(directory, { recursive: true });
});

function openOutbox(extra: { limits?: Partial<OutboxLimits>; files?: OutboxFiles } = {}): Outbox {
  const outbox = Outbox.open({ directory, device: DEVICE, ...extra });
  open.push(outbox);
  return outbox;
}

function reopen(outbox: Outbox, extra: Parameters<typeof openOutbox>[0] = {}): Outbox {
  outbox.close();
  return openOutbox(extra);
}

function entry(day: number, owner = ORES, size = 600): NewEntry {
  const random = seededRandom('entry', owner, day);
  const bytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  return { owner, day, sequence: day, sealed: bytes(size), receiptKey: bytes(32) };
}

const daysOf = (outbox: Outbox): number[] => outbox.pending().map(({ day }) => day);
const code = (wanted: string) => expect.objectContaining({ code: wanted });
const file = (): string => join(directory, 'outbox');

async function fill(outbox: Outbox, count: number): Promise<void> {
  for (let index = 0; index < count; index++) await outbox.append([entry(DAY + index)]);
}

describe('an outbox that is full', () => {
  test('gives up its oldest reading by count, and says so', async () => {
    const outbox = openOutbox({ limits: { entriesMax: 2 } });
    await fill(outbox, 4);
    expect(daysOf(outbox)).toEqual([DAY + 2, DAY + 3]);
    expect(outbox.status()).toMatchObject({ pending: 2, dropped: 2, thinned: 0, failing: false });
    expect(daysOf(reopen(outbox))).toEqual([DAY + 2, DAY + 3]);
  });

  test('never gives up the last that it holds of an owner: the day stays open until there is room', async () => {
    const outbox = openOutbox({ limits: { entriesMax: 2 } });
    await outbox.append([entry(DAY), entry(DAY, FARYS)]);
    await expect(outbox.append([entry(DAY + 1)])).rejects.toThrow(code('ERR_OUTBOX_FULL'));
    expect(outbox.isClosed(ORES, DAY + 1)).toBe(false);
    expect(outbox.status()).toMatchObject({ pending: 2, dropped: 0 });
    outbox.settle([{ entry: outbox.pending()[0]!, verdict: 'delivered' }]);
    await outbox.append([entry(DAY + 1)]);
    expect(outbox.pending().map(({ owner, day }) => [owner, day])).toEqual([
      [FARYS, DAY],
      [ORES, DAY + 1],
    ]);
  });

  test('never has a file larger than its bound, and makes room from what was delivered', async () => {
    const bytesMax = 8_192;
    const outbox = openOutbox({ limits: { bytesMax } });
    for (let index = 0; index < 62; index++) {
      await outbox.append([entry(DAY + index, ORES, 1_500)]);
      expect(readFileSync(file()).length).toBeLessThanOrEqual(bytesMax);
      if (index % 3 === 2)
        outbox.settle(outbox.pending().map((done) => ({ entry: done, verdict: 'delivered' })));
    }
    expect(daysOf(reopen(outbox))).toEqual([DAY + 60, DAY + 61]);
  });

  test('stores all readings of a day or none', async () => {
    const outbox = openOutbox({ limits: { entriesMax: 1 } });
    await fill(outbox, 1);
    await expect(outbox.append([entry(DAY + 1), entry(DAY + 1, FARYS)])).rejects.toThrow(
      code('ERR_OUTBOX_FULL'),
    );
    expect(daysOf(reopen(outbox))).toEqual([DAY]);
  });
});

describe('a disk that fails', () => {
  const failure = (reason: string): Error => Object.assign(new Error(reason), { code: reason });

  test('counts nothing as stored when there is no space, not even half, and goes on afterwards', async () => {
    let full = false;
    const files: OutboxFiles = {
      ...nodeFiles,
      async appendDurably(path, bytes) {
        if (!full) return nodeFiles.appendDurably(path, bytes);
        await nodeFiles.appendDurably(path, bytes.subarray(0, bytes.length >> 1));
        throw failure('ENOSPC');
      },
    };
    const outbox = openOutbox({ files });
    await fill(outbox, 2);
    full = true;
    const refused = await outbox.append([entry(DAY + 2)]).catch((error: unknown) => error);
    expect(refused).toEqual(code('ERR_OUTBOX_WRITE'));
    expect((refused as Error).message).toContain('ENOSPC');
    expect(daysOf(outbox)).toEqual([DAY, DAY + 1]);
    full = false;
    await outbox.append([entry(DAY + 2)]);
    const again = reopen(outbox);
    expect(again.tornBytes).toBe(0);
    expect(daysOf(again)).toEqual([DAY, DAY + 1, DAY + 2]);
  });

  test('does not believe a second flush after one that failed: it writes a new file', async () => {
    let failing = false;
    let replaced = 0;
    const files: OutboxFiles = {
      ...nodeFiles,
      async appendDurably(path, bytes) {
        await nodeFiles.appendDurably(path, bytes);
        if (failing) throw failure('EIO');
      },
      truncate(path, length) {
        if (failing) throw failure('EIO');
        nodeFiles.truncate(path, length);
      },
      replace(path, bytes) {
        replaced++;
        nodeFiles.replace(path, bytes);
      },
    };
    const outbox = openOutbox({ files });
    await fill(outbox, 1);
    const before = replaced;
    failing = true;
    await expect(outbox.append([entry(DAY + 1)])).rejects.toThrow(code('ERR_OUTBOX_WRITE'));
    failing = false;
    await outbox.append([entry(DAY + 1)]);
    expect(replaced).toBe(before + 1);
    expect(daysOf(reopen(outbox))).toEqual([DAY, DAY + 1]);
  });

  test('leaves the old file where a new one cannot be written', async () => {
    let full = false;
    const files: OutboxFiles = {
      ...nodeFiles,
      replace(path, bytes) {
        if (full) throw failure('ENOSPC');
        nodeFiles.replace(path, bytes);
      },
      append(path, bytes) {
        if (full) throw failure('ENOSPC');
        nodeFiles.append(path, bytes);
      },
    };
    const outbox = openOutbox({ files });
    await fill(outbox, 2);
    full = true;
    outbox.settle([{ entry: outbox.pending()[0]!, verdict: 'delivered' }]);
    expect(daysOf(outbox)).toEqual([DAY + 1]);
    // Not noted on disk: sent once more after a restart, and answered with `duplicate`.
    const again = reopen(outbox);
    expect(daysOf(again)).toEqual([DAY, DAY + 1]);
  });

  test('forgets an owner that could not be noted, so that it is noted later', async () => {
    let full = true;
    const files: OutboxFiles = {
      ...nodeFiles,
      async replaceDurably(path, bytes) {
        if (full) throw failure('ENOSPC');
        await nodeFiles.replaceDurably(path, bytes);
      },
    };
    const outbox = openOutbox({ files });
    await expect(outbox.opened(ORES, DAY)).rejects.toThrow(code('ERR_OUTBOX_WRITE'));
    expect(outbox.through().size).toBe(0);
    full = false;
    await outbox.opened(ORES, DAY);
    await outbox.opened(FARYS, DAY + 1);
    expect([...reopen(outbox).through()]).toEqual([
      [ORES, DAY],
      [FARYS, DAY + 1],
    ]);
  });
});

describe('an outbox', () => {
  test('gives back what was put in, oldest first, after any number of restarts', async () => {
    let outbox = openOutbox();
    for (let index = 0; index < 5; index++) {
      await outbox.append([entry(DAY + index), entry(DAY + index, FARYS)]);
      outbox = reopen(outbox);
    }
    expect(outbox.pending().map(({ owner, day }) => [owner, day])).toEqual(
      [0, 1, 2, 3, 4].flatMap((index) => [
        [ORES, DAY + index],
        [FARYS, DAY + index],
      ]),
    );
    for (const stored of outbox.pending()) {
      const { sealed, receiptKey } = entry(stored.day, stored.owner);
      const read = outbox.read(stored);
      expect(Buffer.from(read.sealed).equals(sealed)).toBe(true);
      expect(Buffer.from(read.receiptKey).equals(receiptKey)).toBe(true);
    }
  });

  test('closes a day once, although it is asked twice, with a restart in between', async () => {
    const outbox = openOutbox();
    expect(await outbox.append([entry(DAY)])).toBe(1);
    expect(await outbox.append([entry(DAY)])).toBe(0);
    outbox.settle([{ entry: outbox.pending()[0]!, verdict: 'delivered' }]);
    const again = reopen(outbox);
    expect(await again.append([entry(DAY)])).toBe(0);
    expect(again.pendingCount).toBe(0);
  });

  test('gives out rising numbers per owner, from the day, also after all was delivered and the file made new', async () => {
    let outbox = openOutbox({ limits: { bytesMax: 4_096 } });
    expect(outbox.nextSequence(ORES, DAY)).toBe(DAY);
    await outbox.append([{ ...entry(DAY), sequence: DAY + 500 }]);
    expect(outbox.nextSequence(ORES, DAY + 1)).toBe(DAY + 501);
    expect(outbox.nextSequence(FARYS, DAY + 1)).toBe(DAY + 1);
    let last = DAY + 500;
    for (let index = 1; index < 30; index++) {
      outbox.settle(outbox.pending().map((done) => ({ entry: done, verdict: 'duplicate' })));
      outbox = reopen(outbox, { limits: { bytesMax: 4_096 } });
      const sequence = outbox.nextSequence(ORES, DAY + index);
      expect(sequence).toBe(last + 1);
      await outbox.append([{ ...entry(DAY + index), sequence }]);
      last = sequence;
    }
  });

  test('parks what was refused: kept over restarts and new files, not pending, the oldest given up beyond the bound', async () => {
    const limits = { parkedMax: 2, bytesMax: 8_192 };
    let outbox = openOutbox({ limits });
    for (let index = 0; index < 4; index++) {
      await outbox.append([entry(DAY + index)]);
      outbox.settle([{ entry: outbox.pending()[0]!, verdict: 'refused', code: 'schema' }]);
      outbox = reopen(outbox, { limits });
    }
    expect(outbox.pendingCount).toBe(0);
    expect(outbox.parked().map(({ day, refused }) => [day, refused])).toEqual([
      [DAY + 2, 'schema'],
      [DAY + 3, 'schema'],
    ]);
    for (let index = 4; index < 40; index++) {
      await outbox.append([entry(DAY + index)]);
      outbox.settle([{ entry: outbox.pending()[0]!, verdict: 'delivered' }]);
    }
    const again = reopen(outbox, { limits });
    expect(again.parked().map(({ day }) => day)).toEqual([DAY + 2, DAY + 3]);
    expect(Buffer.from(again.read(again.parked()[1]!).sealed).equals(entry(DAY + 3).sealed)).toBe(true);
  });

  test('keeps a delivery that arrives while a write waits for the disk', async () => {
    const outbox = openOutbox();
    await fill(outbox, 2);
    const appending = outbox.append([entry(DAY + 2)]);
    outbox.settle([{ entry: outbox.pending()[0]!, verdict: 'delivered' }]);
    await expect(outbox.opened(FARYS, DAY)).rejects.toThrow(code('ERR_OUTBOX_WRITE'));
    await appending;
    expect(daysOf(outbox)).toEqual([DAY + 1, DAY + 2]);
    const again = reopen(outbox);
    expect(daysOf(again)).toEqual([DAY + 1, DAY + 2]);
    expect(Buffer.from(again.read(again.pending()[1]!).sealed).equals(entry(DAY + 2).sealed)).toBe(true);
  });

  test('does the same as a model of it through hundreds of random steps and restarts', async () => {
    const random = seededRandom(11, 'outbox model');
    const limits = { bytesMax: 16_384, entriesMax: 12, parkedMax: 3 };
    const files = memoryFiles();
    let outbox = openOutbox({ limits, files });
    const model = new Map<number, 'pending' | 'parked'>();
    let day = DAY;
    for (let step = 0; step < 600; step++) {
      const dice = random();
      if (dice < 0.45) {
        const size = 100 + Math.floor(random() * 900);
        const before = outbox.status().dropped;
        const stored = await outbox.append([entry(day, ORES, size)]).catch(() => 0);
        const kept = new Set([...outbox.pending(), ...outbox.parked()].map((one) => one.day));
        const gone = [...model.keys()].filter((one) => !kept.has(one));
        expect(gone).toHaveLength(outbox.status().dropped - before);
        // Refused readings first, then the oldest that wait, never the newest.
        const waiting = [...model].flatMap(([one, state]) => (state === 'pending' ? [one] : []));
        const goneWaiting = gone.filter((one) => model.get(one) === 'pending');
        expect(goneWaiting).toEqual(waiting.slice(0, goneWaiting.length));
        if (waiting.length > 0) expect(gone).not.toContain(waiting.at(-1));
        for (const one of gone) model.delete(one);
        if (stored === 1) model.set(day, 'pending');
        day++;
      } else if (dice < 0.85) {
        const [oldest] = outbox.pending();
        if (oldest === undefined) continue;
        const refused = random() < 0.2;
        outbox.settle([
          refused
            ? { entry: oldest, verdict: 'refused', code: 'mdm' }
            : { entry: oldest, verdict: 'delivered' },
        ]);
        if (refused) model.set(oldest.day, 'parked');
        else model.delete(oldest.day);
        const parked = [...model].filter(([, state]) => state === 'parked');
        if (parked.length > 3) model.delete(parked[0]![0]);
      } else outbox = reopen(outbox, { limits, files });
      const states = (wanted: string) => [...model].flatMap(([of, state]) => (state === wanted ? [of] : []));
      expect(daysOf(outbox)).toEqual(states('pending'));
      expect(outbox.parked().map((entry) => entry.day)).toEqual(states('parked'));
    }
  });

  test('leaves only its file and its lock, and only for its owner to read', async () => {
    const outbox = openOutbox();
    await fill(outbox, 3);
    expect(readdirSync(directory).toSorted()).toEqual(['outbox', 'outbox.lock']);
    outbox.close();
    expect(readdirSync(directory)).toEqual(['outbox']);
  });
});
