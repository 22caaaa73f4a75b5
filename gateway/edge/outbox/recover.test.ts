import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { seededRandom } from '../../runtime/random.ts';
import { memoryFiles } from '../testing/files.ts';
import { type NewEntry, Outbox } from './outbox.ts';

const DEVICE = '00112233445566ff' as DeviceId;
const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const DAY = 20_585;

let directory: string;
let files: ReturnType<typeof memoryFiles>;
let open: Outbox[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-recover-'));
  files = memoryFiles();
});

afterEach(() => {
  for (const outbox of open) outbox.close();
  open = [];
  rmSync(directory, { recursive: true });
});

function openOutbox(): Outbox {
  const outbox = Outbox.open({ directory, device: DEVICE, files });
  open.push(outbox);
  return outbox;
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

describe('an outbox that was cut or damaged', () => {
  test('keeps every whole write and nothing else, wherever the file was cut', async () => {
    const outbox = openOutbox();
    const lengths = [0];
    for (let index = 0; index < 3; index++) {
      await outbox.append([entry(DAY + index, ORES, 120), entry(DAY + index, FARYS, 80)]);
      lengths.push(files.read(file())!.length);
    }
    outbox.close();
    const whole = files.read(file())!;
    const head = 20;
    for (let cut = head; cut <= whole.length; cut++) {
      files.replace(file(), whole.subarray(0, cut));
      const read = Outbox.open({ directory, device: DEVICE, files });
      const kept = lengths.filter((length) => length > 0 && length <= cut).length;
      expect(daysOf(read)).toEqual([0, 1, 2].slice(0, kept).flatMap((index) => [DAY + index, DAY + index]));
      expect(files.read(file())!.length).toBe(Math.max(head, lengths[kept]!));
      read.close();
    }
  });

  test('refuses a file whose head is cut or of another device', async () => {
    const outbox = openOutbox();
    await fill(outbox, 1);
    outbox.close();
    expect(() => Outbox.open({ directory, device: '0011223344556600' as DeviceId, files })).toThrow(
      code('ERR_OUTBOX_FORMAT'),
    );
    const whole = files.read(file())!;
    for (const cut of [0, 5, 19]) {
      files.replace(file(), whole.subarray(0, cut));
      expect(() => openOutbox()).toThrow(code('ERR_OUTBOX_FORMAT'));
    }
  });

  test('reports every flipped bit before its last write, by file and place, and touches nothing', async () => {
    const outbox = openOutbox();
    await fill(outbox, 3);
    const lastWrite = files.read(file())!.length;
    await outbox.append([entry(DAY + 3)]);
    outbox.close();
    const whole = files.read(file())!;
    for (let offset = 0; offset < lastWrite; offset += 7) {
      const damaged = Buffer.from(whole);
      damaged[offset]! ^= 1 << (offset % 8);
      files.replace(file(), damaged);
      let thrown: unknown;
      try {
        openOutbox();
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toEqual(code(offset < 20 ? 'ERR_OUTBOX_FORMAT' : 'ERR_OUTBOX_DAMAGED'));
      expect((thrown as Error).message).toContain(file());
      expect(files.read(file())!.equals(damaged)).toBe(true);
    }
  });

  test('cuts a damaged last write, says so and keeps its bytes aside', async () => {
    const outbox = openOutbox();
    await fill(outbox, 2);
    outbox.close();
    const damaged = files.read(file())!;
    damaged[damaged.length - 5]! ^= 1;
    files.replace(file(), damaged);
    const again = openOutbox();
    expect(daysOf(again)).toEqual([DAY]);
    expect(again.tornBytes).toBeGreaterThan(600);
    expect(files.read(`${file()}.torn`)!.length).toBe(again.tornBytes);
    // The day is open again: it was never known to be stored.
    expect(again.isClosed(ORES, DAY + 1)).toBe(false);
    expect(again.nextSequence(ORES, DAY + 1)).toBe(DAY + 1);
  });

  test('takes zeros at the end, however many, for a write whose bytes never came', async () => {
    const outbox = openOutbox();
    await fill(outbox, 2);
    outbox.close();
    const whole = files.read(file())!;
    files.replace(file(), Buffer.concat([whole, Buffer.alloc(300_000)]));
    expect(daysOf(openOutbox())).toEqual([DAY, DAY + 1]);
    expect(files.read(file())!.equals(whole)).toBe(true);
  });

  test('takes more rubbish than one write could leave for damage', async () => {
    const outbox = openOutbox();
    await fill(outbox, 1);
    outbox.close();
    files.replace(file(), Buffer.concat([files.read(file())!, Buffer.alloc(300_000, 7)]));
    expect(() => openOutbox()).toThrow(code('ERR_OUTBOX_DAMAGED'));
  });
});
