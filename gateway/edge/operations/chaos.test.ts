import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { Outcome } from '../../../protocol/command/outcome.ts';
import { seededRandom } from '../../runtime/random.ts';
import { SimulatedDisk } from '../testing/disk.ts';
import { mayComeAgain } from './ledger.ts';
import { Operations } from './operations.ts';
import type { Action, ActionResult } from './step.ts';
import { FakeHardware } from './testing/hardware.ts';
import { INSTALLATION, JUNE_MS } from './testing/meter.ts';
import { commandOf, ORES, signed, trust } from './testing/people.ts';

/**
 * Everything at once: commands out of order and again and again, hardware that is busy or broken, a disk that fails
 * and fills up, kill -9 and power cuts. Each limit that is commanded has its own number of watts, so what hardware
 * did can be held against what the meter said of each command.
 */

const SEED = Number(process.env['HES_SEED'] ?? 1_204);
const ROUNDS = Number(process.env['HES_ROUNDS'] ?? 40);
const COMMANDS = 25;
const KILL = 0.08;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-chaos-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

class World {
  readonly random: () => number;
  readonly disk: SimulatedDisk;
  readonly hardware = new FakeHardware();
  readonly wanted: readonly Command[];
  readonly said = new Map<CommandId, Outcome[]>();
  readonly delivered = new Map<CommandId, Outcome[]>();
  nowMs = JUNE_MS;
  calm = false;

  constructor(round: number) {
    this.random = seededRandom('chaos', SEED, round);
    this.disk = new SimulatedDisk(seededRandom('disk', SEED, round));
    this.disk.refuses = () => !this.calm && this.random() < 0.12;
    this.wanted = Array.from({ length: COMMANDS }, (_, index) =>
      commandOf('limiter.set', { powerW: 1_000 + 100 * index }, JUNE_MS, { counter: JUNE_MS + index }),
    );
  }

  chance(part: number): boolean {
    return !this.calm && this.random() < part;
  }

  perform(action: Action): ActionResult | Promise<ActionResult> {
    if (this.chance(KILL)) return this.die();
    if (this.chance(0.05)) return 'busy';
    if (this.chance(0.15)) return 'hardware';
    this.hardware.perform(action);
    return this.chance(KILL) ? this.die() : 'done';
  }

  #end: () => void = () => {};
  /** The life of a process: resolves where it is killed. */
  begin(): Promise<'killed'> {
    return new Promise((resolve) => {
      this.#end = () => resolve('killed');
    });
  }

  die(): Promise<never> {
    if (this.random() < 0.5) this.disk.kill();
    else this.disk.powerCut();
    this.#end();
    return new Promise(() => {});
  }

  hear(map: Map<CommandId, Outcome[]>, id: CommandId, outcome: Outcome): void {
    map.set(id, [...(map.get(id) ?? []), outcome]);
  }
}

async function live(world: World): Promise<'done'> {
  rmSync(join(directory, 'operations.lock'), { force: true });
  const operations = await Operations.open({
    directory,
    installation: INSTALLATION,
    hardware: {
      perform: (action) => world.perform(action),
      standing: (action) => world.hardware.standing(action),
    },
    trust,
    files: world.disk.files(),
    nowMs: world.nowMs,
  });
  const give = async (command: Command): Promise<void> => {
    const receipt = await operations.receive({ signed: signed(command), tenant: ORES }, world.nowMs);
    if (receipt.answered) world.hear(world.said, command.id, receipt.result.outcome);
  };
  for (let step = 0; step < (world.calm ? 0 : 60); step++) {
    world.nowMs += 10;
    if (world.chance(0.03)) world.disk.full = !world.disk.full;
    if (world.chance(KILL)) await world.die();
    const at = Math.min(COMMANDS - 1, Math.floor(step / 2) + Math.floor(world.random() * 3));
    // In order as a rule, out of it now and then, and again where nobody heard an end.
    const giving = give(world.wanted[at]!);
    if (world.chance(0.1)) void give(world.wanted[Math.floor(world.random() * COMMANDS)]!).catch(() => {});
    if (world.chance(KILL)) await world.die();
    await giving;
    for (const { id, outcome } of operations.results()) {
      if (world.chance(0.5)) continue;
      world.hear(world.delivered, id, outcome);
      if (world.chance(0.7)) await operations.settled(id);
    }
  }
  if (world.calm) {
    for (const command of world.wanted) await give(command);
    for (const { id, outcome } of operations.results()) {
      world.hear(world.delivered, id, outcome);
      await operations.settled(id);
    }
    expect(operations.results()).toEqual([]);
  }
  await operations.close();
  return 'done';
}

function check(world: World, round: string): void {
  world.wanted.forEach((command, index) => {
    const all = [...(world.said.get(command.id) ?? []), ...(world.delivered.get(command.id) ?? [])];
    const ends = new Set(all.filter(({ code }) => !mayComeAgain(code)).map(({ code }) => code ?? 'executed'));
    expect([...ends], `one end of command ${index}, ${round}`).toHaveLength(1);
    const delivered = (world.delivered.get(command.id) ?? []).filter(({ code }) => !mayComeAgain(code));
    expect(delivered.length, `its result, ${round}`).toBeGreaterThan(0);
    const watts = 1_000 + 100 * index;
    const done = world.hardware.done.filter((action) => action.kind === 'limiter' && action.powerW === watts);
    const [end] = ends;
    if (end === 'executed') expect(done, `done once, ${round}`).toHaveLength(1);
    else expect(done, `${end} and not done, ${round}`).toHaveLength(0);
  });
}

describe('a meter to which everything happens', () => {
  it('ends each command once, does what it says it did, and nothing else', async () => {
    const seen = new Set<string>();

    for (let round = 0; round < ROUNDS; round++) {
      const world = new World(round);
      for (let life = 0; life < 12; life++) {
        const killed = world.begin();
        await Promise.race([live(world), killed]);
      }
      world.calm = true;
      world.disk.full = false;
      // What a killed process had not given back to its carrier yet is gone with it.
      world.disk.kill();
      const killed = world.begin();
      expect(await Promise.race([live(world), killed])).toBe('done');
      check(world, `round ${round} of seed ${SEED}`);
      for (const outcomes of world.said.values())
        for (const { code } of outcomes) seen.add(code ?? 'executed');
    }
    expect([...seen].sort()).toEqual(['busy', 'counter', 'executed', 'hardware', 'storage']);
  });
});
