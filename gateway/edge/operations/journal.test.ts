import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { COUNTERS } from '../../../protocol/command/row.ts';
import { seededRandom } from '../../runtime/random.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { memoryFiles } from '../testing/files.ts';
import { encodeLedger } from './codec.ts';
import { Journal } from './journal.ts';
import { type Delta, type Known, type Ledger, NO_DELTA, newLedger, signerIdOf } from './ledger.ts';
import { FRAME_BYTES_MAX, JOURNAL_GROWTH_BYTES } from './limits.ts';
import { Operations } from './operations.ts';
import { initialState } from './state.ts';
import { INSTALLATION, JUNE_MS, testMeter } from './testing/meter.ts';
import { commandOf, DEVICE, freshId, ORES, trust } from './testing/people.ts';

const PATH = '/meter/operations';
const fresh = (): Ledger => newLedger(initialState(INSTALLATION));
const openOn = (files: ReturnType<typeof memoryFiles>) =>
  Journal.open({ path: PATH, device: DEVICE, files, fresh });
/** With its file: there is none before the first change. */
async function begunOn(files: ReturnType<typeof memoryFiles>): Promise<Journal> {
  const journal = await openOn(files);
  await journal.commit(change(0));
  return journal;
}
const change = (number: number): Delta => ({
  ...NO_DELTA,
  counter: { signer: signerIdOf(ORES, `p${number % 7}`), name: 'p1', counter: number },
  state: { ...initialState(INSTALLATION), limiterW: 1_000 + number },
});

describe('a journal', () => {
  it('is no file before the first change, and whole with it', async () => {
    const files = memoryFiles();
    const journal = await openOn(files);
    await journal.ready();
    expect(files.content.size).toBe(0);
    expect(journal.suspect).toBe(false);
    await journal.commit(change(1));
    expect((await openOn(files)).ledger).toEqual(journal.ledger);
  });

  it('is certain that nothing was changed where its first write fails', async () => {
    const disk = new SimulatedDisk(seededRandom('first', 7));
    const files = disk.files();
    const journal = await Journal.open({ path: PATH, device: DEVICE, files, fresh });
    disk.full = true;
    await expect(journal.commit(change(1))).rejects.toMatchObject({ code: 'ERR_JOURNAL_WRITE' });
    expect(journal.suspect).toBe(false);
    disk.full = false;
    await journal.commit(change(2));
    expect((await Journal.open({ path: PATH, device: DEVICE, files, fresh })).ledger).toEqual(journal.ledger);
  });

  it('reads back every whole write and nothing else, wherever it was cut', async () => {
    const files = memoryFiles();
    const journal = await begunOn(files);
    const ledgers = [journal.ledger];
    const lengths = [files.read(PATH)!.length];
    for (let number = 1; number <= 4; number++) {
      await journal.commit(change(number));
      ledgers.push(journal.ledger);
      lengths.push(files.read(PATH)!.length);
    }
    const whole = files.read(PATH)!;
    for (let cut = lengths[0]!; cut <= whole.length; cut++) {
      files.replace(PATH, whole.subarray(0, cut));
      const again = await openOn(files);
      expect(again.ledger).toEqual(ledgers[lengths.filter((length) => length <= cut).length - 1]);
    }
  });

  it('refuses a file that is damaged before its end, and removes nothing', async () => {
    const files = memoryFiles();
    const journal = await begunOn(files);
    const first = files.read(PATH)!.length;
    for (let number = 1; number <= 3; number++) await journal.commit(change(number));
    const damaged = Buffer.from(files.read(PATH)!);
    damaged[first + 12]! ^= 1;
    files.replace(PATH, damaged);
    await expect(openOn(files)).rejects.toMatchObject({ code: 'ERR_JOURNAL_DAMAGED' });
    expect(files.read(PATH)).toEqual(damaged);
  });

  it('refuses what is no journal, or another device’s', async () => {
    const files = memoryFiles();
    files.replace(PATH, Buffer.from('something else'));
    await expect(openOn(files)).rejects.toMatchObject({ code: 'ERR_JOURNAL_FORMAT' });
    files.remove(PATH);
    await begunOn(files);
    const other = 'fedcba9876543210' as typeof DEVICE;
    await expect(Journal.open({ path: PATH, device: other, files, fresh })).rejects.toMatchObject({
      code: 'ERR_JOURNAL_FORMAT',
    });
  });

  it('stays small however much happens', async () => {
    const files = memoryFiles();
    const journal = await openOn(files);
    let longest = 0;
    for (let number = 1; number <= 6_000; number++) {
      await journal.commit(change(number));
      longest = Math.max(longest, files.read(PATH)!.length);
    }
    expect(longest).toBeLessThan(JOURNAL_GROWTH_BYTES + 2_000);
    expect((await openOn(files)).ledger).toEqual(journal.ledger);
  });

  it('has room for all of its tables at once', () => {
    const known =
      (standing: Known['standing']) =>
      (_: unknown, index: number): Known => ({
        id: freshId(),
        tenant: 'dewatergroep' as typeof ORES,
        sequence: JUNE_MS + index,
        time: JUNE_MS / 1_000,
        code: null,
        reads: { channels: [0, 1, 2, 3, 4], registers: Array(64).fill('1-0:98.128.200*254') as never },
        standing,
      });
    const full: Ledger = {
      ...fresh(),
      floor: JUNE_MS,
      signers: Array.from({ length: 256 }, (_, index) => ({
        signer: signerIdOf(ORES, `person ${index}`),
        counters: Object.fromEntries(COUNTERS.map((name) => [name, JUNE_MS])),
      })),
      known: (['open', 'settled', 'burnt'] as const).flatMap((standing) =>
        Array.from({ length: 64 }, known(standing)),
      ),
    };
    expect(encodeLedger(full).length).toBeLessThan((FRAME_BYTES_MAX * 2) / 3);
  });
});

describe('a disk that takes nothing', () => {
  const world = () => {
    const disk = new SimulatedDisk(seededRandom('full', 7));
    return { disk, files: disk.files() };
  };
  const port = () => commandOf('p1.set', { on: false }, JUNE_MS);

  it('has a command fail that was not kept, and takes it once there is room', async () => {
    const { disk, files } = world();
    const meter = await testMeter({ files });
    const command = port();
    disk.full = true;
    expect(await meter.outcome(command)).toBe('storage');
    expect(await meter.outcome(command)).toBe('storage');
    expect(meter.hardware.done).toEqual([]);
    expect(meter.operations.results().map(({ outcome }) => outcome.code)).toEqual(['storage']);
    disk.full = false;
    expect(await meter.outcome(command)).toBe('executed');
    expect(meter.operations.results().map(({ outcome }) => outcome.state)).toEqual(['executed']);
    expect(meter.hardware.count('port')).toBe(1);
    await meter.end();
  });

  it('says what was done as soon as there is room, and not before: it could come to another end', async () => {
    const { disk, files } = world();
    const meter = await testMeter({ files });
    const command = port();
    meter.hardware.onMoment = () => {
      disk.full = true;
    };
    expect(await meter.outcome(command)).toBe('silent uncertain');
    expect(await meter.outcome(command)).toBe('silent uncertain');
    await meter.operations.tick(JUNE_MS);
    expect(meter.operations.results()).toEqual([]);
    expect(meter.operations.view(JUNE_MS).port).toBe(false);
    disk.full = false;
    await meter.operations.tick(JUNE_MS + 9_000);
    expect(meter.operations.results()).toEqual([]);
    await meter.operations.tick(JUNE_MS + 10_000);
    expect(meter.operations.results().map(({ outcome }) => outcome.state)).toEqual(['executed']);
    expect(await meter.outcome(command)).toBe('executed');
    expect(meter.hardware.count('port')).toBe(1);
    await meter.end();
  });

  it('leaves buttons and limiter to work', async () => {
    const { disk, files } = world();
    const meter = await testMeter({ files });
    for (const type of ['breaker.open', 'breaker.arm'] as const)
      expect(await meter.outcome(commandOf(type, { cause: 'works' }, JUNE_MS))).toBe('executed');
    disk.full = true;
    expect(await meter.operations.happen({ kind: 'button', channel: 0, heldMs: 50 }, JUNE_MS)).toBe(true);
    expect(meter.operations.view(JUNE_MS).breaker).toBe(1);
    await meter.end();
  });

  it('executes at most once at every write that fails', async () => {
    for (let failing = 0; failing < 12; failing++) {
      const { disk, files } = world();
      const meter = await testMeter({ files });
      const command = port();
      const before = disk.writes;
      disk.refuses = (write) => write === before + failing;
      const codes = [
        await meter.outcome(command),
        await meter.outcome(command),
        await meter.outcome(command),
      ];
      expect(codes.at(-1), `write ${failing}`).toBe('executed');
      expect(meter.hardware.count('port')).toBe(1);
      await meter.end();
    }
  });
});

describe('what was begun and never ended', () => {
  it('is not done any more where its time is over, and where nobody can tell it is said so', async () => {
    for (const how of ['late', 'mute'] as const) {
      const disk = new SimulatedDisk(seededRandom('begun', 3));
      const meter = await testMeter({ files: disk.files() });
      const command = commandOf('p1.set', { on: false }, JUNE_MS);
      // The process dies with the intent on its disk, and the hardware untouched.
      const gone = Promise.withResolvers<void>();
      meter.hardware.onMoment = () => {
        disk.kill();
        gone.resolve();
        throw new Error('gone');
      };
      const dying = meter.give(command).catch(() => {});
      // What it still does has no disk any more, and may never end.
      await gone.promise;
      await Promise.race([dying, new Promise((resolve) => setTimeout(resolve, 20))]);
      rmSync(`${meter.directory}/operations.lock`, { force: true });
      meter.hardware.onMoment = () => {};
      if (how === 'mute') meter.hardware.mute.add('port');
      const nowMs = how === 'late' ? command.expiry * 1_000 : JUNE_MS + 1_000;
      const again = await Operations.open({
        directory: meter.directory,
        installation: INSTALLATION,
        hardware: meter.hardware,
        trust,
        files: disk.files(),
        nowMs,
      });
      expect(again.results().map(({ id, outcome }) => [id, outcome.code])).toEqual([
        [command.id, 'interrupted'],
      ]);
      expect(meter.hardware.done).toEqual([]);
      expect(again.view(nowMs).port).toBe(true);
      await again.close();
      rmSync(meter.directory, { recursive: true });
    }
  });
});
