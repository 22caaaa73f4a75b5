import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { Outcome } from '../../../protocol/command/outcome.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { OutboxFiles } from '../outbox/files.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { Operations } from './operations.ts';
import { FakeHardware } from './testing/hardware.ts';
import { INSTALLATION, JUNE_MS } from './testing/meter.ts';
import { commandOf, ORES, signed, trust } from './testing/people.ts';

/**
 * A meter that is killed at each moment: before and after every file operation and every movement of hardware. Its
 * carrier gives a command again until it is answered, as MQTT does, and its operator takes each result as it comes.
 */

const SEED = Number(process.env['HES_SEED'] ?? 20_261_124);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-kill-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

class Killed extends Error {}
const never = (): Promise<never> => new Promise(() => {});

/** Counts the moments of a run, and ends the process at one of them. */
class Reaper {
  moment = 0;
  readonly #disk: SimulatedDisk;
  readonly #at: number;
  readonly #how: 'kill' | 'power';
  #end: (error: Error) => void = () => {};
  readonly killed: Promise<never>;
  isDead = false;

  constructor(disk: SimulatedDisk, at: number, how: 'kill' | 'power') {
    this.#disk = disk;
    this.#at = at;
    this.#how = how;
    this.killed = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.killed.catch(() => {});
  }

  /** Throws where the process ends: what comes after it in the process never happens. */
  pass(): void {
    if (this.isDead) throw new Killed();
    if (++this.moment !== this.#at) return;
    this.isDead = true;
    if (this.#how === 'kill') this.#disk.kill();
    else this.#disk.powerCut();
    this.#end(new Killed());
    throw new Killed();
  }

  files(): OutboxFiles {
    const files = this.#disk.files();
    const around = async (work: () => Promise<void>): Promise<void> => {
      try {
        this.pass();
        const working = work();
        // Written and not flushed: a power cut tears it here.
        this.pass();
        await working;
        this.pass();
      } catch (error) {
        if (error instanceof Killed) await never();
        throw error;
      }
    };
    return {
      ...files,
      appendDurably: (path, bytes) => around(() => files.appendDurably(path, bytes)),
      replaceDurably: (path, bytes) => around(() => files.replaceDurably(path, bytes)),
    };
  }
}

const commands = (): readonly Command[] => [
  commandOf('breaker.open', { cause: 'safety' }, JUNE_MS),
  commandOf('breaker.arm', { cause: 'safety' }, JUNE_MS),
  commandOf('tariff.set', { plan: 'mono', windows: [], from: '2026-06-01' }, JUNE_MS),
  commandOf('limiter.set', { powerW: 2_300 }, JUNE_MS),
  commandOf('p1.set', { on: false }, JUNE_MS),
  // Refused: it is void behind the last.
  commandOf('p1.set', { on: true }, JUNE_MS, { counter: JUNE_MS - 1_000_000 }),
  commandOf('read.now', { registers: [] }, JUNE_MS),
];
const EXPECTED = ['executed', 'executed', 'executed', 'executed', 'executed', 'counter', 'executed'];

interface World {
  readonly disk: SimulatedDisk;
  readonly hardware: FakeHardware;
  readonly wanted: readonly Command[];
  readonly answered: Set<CommandId>;
  readonly received: Map<CommandId, Outcome[]>;
  readonly sequences: Map<CommandId, Set<number>>;
}

/** One process, as long as it lives. */
async function live(world: World, reaper: Reaper): Promise<void> {
  rmSync(join(directory, 'operations.lock'), { force: true });
  world.hardware.onMoment = () => {
    if (reaper.isDead) throw new Killed();
    reaper.pass();
  };
  const hardware = {
    // A process that is gone hears nothing of its hardware any more.
    perform: async (action: Parameters<FakeHardware['perform']>[0]) => {
      try {
        return world.hardware.perform(action);
      } catch (error) {
        return error instanceof Killed ? await never() : Promise.reject(error as Error);
      }
    },
    standing: (action: Parameters<FakeHardware['perform']>[0]) => world.hardware.standing(action),
  };
  const operations = await Operations.open({
    directory,
    installation: INSTALLATION,
    hardware,
    trust,
    files: reaper.files(),
    nowMs: JUNE_MS,
  });
  for (const command of world.wanted) {
    if (!world.answered.has(command.id)) {
      const receipt = await operations.receive({ signed: signed(command), tenant: ORES }, JUNE_MS);
      expect(receipt.answered).toBe(true);
      world.answered.add(command.id);
    }
    if (command.type === 'breaker.arm')
      await operations.happen({ kind: 'button', channel: 0, heldMs: 50 }, JUNE_MS);
  }
  for (const { id, outcome, sequence } of operations.results()) {
    world.received.set(id, [...(world.received.get(id) ?? []), outcome]);
    world.sequences.set(id, (world.sequences.get(id) ?? new Set()).add(sequence));
    await operations.settled(id);
  }
  await operations.close();
}

function newWorld(): World {
  return {
    disk: new SimulatedDisk(seededRandom('kill', SEED)),
    hardware: new FakeHardware(),
    wanted: commands(),
    answered: new Set(),
    received: new Map(),
    sequences: new Map(),
  };
}

/** Whether the process was killed; else it came to its end. */
async function runs(world: World, reaper: Reaper): Promise<boolean> {
  try {
    await Promise.race([live(world, reaper), reaper.killed]);
    return false;
  } catch (error) {
    if (error instanceof Killed) return true;
    throw error;
  }
}

function check(world: World, moment: string): void {
  const { wanted, hardware, received, sequences } = world;
  wanted.forEach((command, index) => {
    const outcomes = received.get(command.id) ?? [];
    expect(outcomes.length, `${command.type} has its result, ${moment}`).toBeGreaterThan(0);
    const words = new Set(outcomes.map(({ code }) => code ?? 'executed'));
    expect([...words], `${command.type}, ${moment}`).toEqual([EXPECTED[index]]);
    expect(sequences.get(command.id)!.size, `sequences of ${command.type}, ${moment}`).toBe(1);
  });
  expect(hardware.count('limiter'), moment).toBe(1);
  expect(hardware.count('port'), moment).toBe(1);
  const moves = hardware.done.flatMap((action) => (action.kind === 'breaker' ? [action.position] : []));
  expect(moves, moment).toEqual([0, 2, 1]);
}

describe('a meter that is killed', () => {
  it.each(['kill', 'power'] as const)(
    'executes exactly once and loses no result, whenever: %s',
    async (how) => {
      const whole = new Reaper(new SimulatedDisk(seededRandom('none')), Number.POSITIVE_INFINITY, how);
      const calm = newWorld();
      expect(await runs(calm, whole)).toBe(false);
      check(calm, 'never');
      expect(whole.moment).toBeGreaterThan(50);
      for (let at = 1; at <= whole.moment; at++) {
        const world = newWorld();
        const isKilled = await runs(world, new Reaper(world.disk, at, how));
        expect(isKilled, `moment ${at}`).toBe(true);
        let again = 0;
        while (await runs(world, new Reaper(world.disk, Number.POSITIVE_INFINITY, how))) again++;
        expect(again).toBe(0);
        check(world, `${how} at ${at}`);
      }
    },
  );

  it('executes exactly once and loses no result where it is killed again and again', async () => {
    const random = seededRandom('again', SEED);
    for (let round = 0; round < 40; round++) {
      const world = newWorld();
      let lives = 0;
      for (let alive = true; alive; lives++) {
        const at = lives > 30 ? Number.POSITIVE_INFINITY : 1 + Math.floor(random() * 25);
        alive = await runs(world, new Reaper(world.disk, at, random() < 0.5 ? 'kill' : 'power'));
      }
      check(world, `round ${round} of ${SEED}, ${lives} lives`);
    }
  });
});
