import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { type CommandType, rowOf } from '../../protocol/command/table.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { verifyAudit } from './audit/verify.ts';
import { isTerminal, type StoredState } from './lifecycle/states.ts';
import type { StoredCommand } from './store/port.ts';
import { by, type DeskWorld, deskWorld, deviceOf, type Name, ORES } from './testing/world.ts';

/**
 * Anything that people, devices and time can do to a desk, in any order, against a model that knows only what it was
 * told: who signed what, what was handed out to be sent, and what a device signed.
 */

const SEED = Number(process.env['HES_TEST_SEED'] ?? 20_261_124);
const RUNS = Number(process.env['HES_TEST_RUNS'] ?? 60);

interface Known {
  readonly command: Command;
  state: StoredState;
  /** How often it was handed out, and not given back. */
  handedOut: number;
  approved: boolean;
  /** A device has signed that it executed it. */
  done: boolean;
  terminal: StoredState | undefined;
}

interface Model {
  readonly commands: Known[];
}

const DEVICES = [deviceOf(1), deviceOf(2)];
const TYPES = ['read.now', 'p1.set', 'limiter.set', 'breaker.arm', 'airplane.on'] as const;
const PERSONS: readonly Name[] = ['ann', 'annToo', 'bob', 'bea', 'sue'];

/** A step may be refused; that it was must not have changed anything, which `agree` sees. */
async function attempt(step: () => Promise<unknown>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
    return false;
  }
}

const pick = ({ commands }: Model, at: number): Known | undefined =>
  commands[at % Math.max(1, commands.length)];

/** What must hold after each step, whatever it was. */
async function agree(model: Model, world: DeskWorld): Promise<void> {
  for (const known of model.commands) {
    const { stored } = await world.desk.show(known.command.id);
    const { state } = stored;
    // A terminal state is the last.
    if (known.terminal !== undefined) expect(state).toBe(known.terminal);
    if (isTerminal(state)) known.terminal = state;
    // What was only sent is never shown as done, and what was never sent never as unknown.
    if (state === 'executed') expect(known.done && known.handedOut > 0).toBe(true);
    if (state === 'unknown' || state === 'sent') expect(known.handedOut).toBeGreaterThan(0);
    if (state === 'expired') expect(known.handedOut).toBe(0);
    // Nothing that needs two people is on its way with one.
    const { critical } = rowOf(known.command.type);
    if (critical && !known.approved)
      expect(['awaiting-approval', 'quarantined', 'expired', 'cancelled', 'refused']).toContain(state);
    expect(stored.attempts).toBe(known.handedOut);
    known.state = state;
  }
  for (const device of DEVICES)
    expect(
      model.commands.filter(({ command, state }) => command.device === device && state === 'sent').length,
    ).toBeLessThanOrEqual(1);
}

type Step = fc.AsyncCommand<Model, DeskWorld>;

function step(says: string, run: (model: Model, world: DeskWorld) => Promise<unknown>): Step {
  return {
    check: () => true,
    async run(model, world) {
      await run(model, world);
      await agree(model, world);
    },
    toString: () => says,
  };
}

const proposing = (type: CommandType, device: DeviceId, name: Name): Step =>
  step(`${name} proposes ${type}`, async (model, world) => {
    const command = world.command(type, { device });
    const taken = await attempt(() => world.propose(command, name));
    expect(taken && !rowOf(type).propose.includes(by(name).role)).toBe(false);
    const state = 'queued';
    if (taken)
      model.commands.push({
        command,
        state,
        handedOut: 0,
        approved: false,
        done: false,
        terminal: undefined,
      });
  });

const approving = (at: number, first: Name, second: Name): Step =>
  step(`${second} approves ${at} as signed by ${first}`, async (model, world) => {
    const known = pick(model, at);
    if (known === undefined || first === second || !rowOf(known.command.type).critical) return;
    const before = (await world.desk.show(known.command.id)).stored;
    if (!(await attempt(() => world.approve(known.command, first, second)))) return;
    known.approved = true;
    expect(before.person).toBe(by(first).person);
    expect(by(second)).toMatchObject({ role: 'approver' });
    expect(by(second).person).not.toBe(before.person);
    expect(before.approver ?? by(second).person).toBe(by(second).person);
  });

const cancelling = (at: number, name: Name): Step =>
  step(`${name} cancels ${at}`, async (model, world) => {
    const known = pick(model, at);
    if (known === undefined) return;
    const { stored } = await world.desk.show(known.command.id);
    const done = await attempt(() => world.desk.cancel({ id: known.command.id, by: by(name) }));
    if (done) expect(['queued', 'quarantined', 'awaiting-approval']).toContain(stored.state);
  });

const releasing = (at: number, name: Name): Step =>
  step(`${name} releases ${at}`, async (model, world) => {
    const known = pick(model, at);
    if (known === undefined) return;
    const { stored } = await world.desk.show(known.command.id);
    const done = await attempt(() => world.desk.release({ id: known.command.id, by: by(name) }));
    if (!done) return;
    expect([stored.state, by(name).role]).toEqual(['quarantined', 'approver']);
    expect(by(name).person).not.toBe(stored.person);
  });

const claiming = (device: DeviceId): Step =>
  step(`claims for ${device}`, async (model, world) => {
    const dispatch = await world.desk.claim(device);
    if (dispatch === undefined) return;
    const known = model.commands.find(({ command }) => command.id === dispatch.command.id)!;
    expect(known.command.device).toBe(device);
    expect(known.terminal).toBeUndefined();
    expect(world.clock.nowMs()).toBeLessThan(known.command.expiry * 1_000);
    known.handedOut += 1;
  });

const returning = (at: number): Step =>
  step(`${at} did not arrive`, async (model, world) => {
    const known = pick(model, at);
    if (known === undefined) return;
    const before: StoredCommand = (await world.desk.show(known.command.id)).stored;
    await world.desk.returned(known.command.id);
    if (before.state === 'sent') known.handedOut -= 1;
  });

const CODES = [null, null, 'busy', 'unsupported', 'hardware'] as const;
const answering = (at: number, code: (typeof CODES)[number]): Step =>
  step(`the device says ${code ?? 'executed'} of ${at}`, async (model, world) => {
    const known = pick(model, at);
    // A device can answer only what it was given; what others sign is refused by tests beside this one.
    if (known === undefined || known.handedOut === 0) return;
    if (code === null) known.done = true;
    await world.says(known.command, code);
  });

const MINUTE_MS = 60_000;
const waiting = (minutes: number): Step =>
  step(`${minutes} minutes pass`, async (_model, world) => {
    world.clock.advance(minutes * MINUTE_MS);
    await world.desk.expire();
  });

const ending = (device: DeviceId): Step =>
  step(`airplane mode ends at ${device}`, (_model, world) =>
    world.desk.airplaneEnded(device, Math.floor(world.clock.nowMs() / 1_000)),
  );

const at = fc.nat({ max: 30 });
const device = fc.constantFrom(...DEVICES);
const name = fc.constantFrom(...PERSONS);
const steps = [
  fc.tuple(fc.constantFrom(...TYPES), device, name).map((given) => proposing(...given)),
  fc.tuple(fc.constantFrom(...TYPES), device, fc.constant<Name>('ann')).map((given) => proposing(...given)),
  fc.tuple(at, name, name).map((given) => approving(...given)),
  fc
    .tuple(at, fc.constantFrom<Name>('ann', 'bob'), fc.constant<Name>('bea'))
    .map((given) => approving(...given)),
  fc.tuple(at, name).map((given) => cancelling(...given)),
  fc.tuple(at, name).map((given) => releasing(...given)),
  device.map(claiming),
  device.map(claiming),
  at.map(returning),
  fc.tuple(at, fc.constantFrom(...CODES)).map((given) => answering(...given)),
  fc.tuple(at, fc.constantFrom(...CODES)).map((given) => answering(...given)),
  fc.constantFrom(1, 5, 16, 600).map(waiting),
  device.map(ending),
];

/** Few, so that quarantine is met. */
const threshold = { person: 3, system: 3 };
const thresholds = Object.fromEntries(TYPES.map((type) => [type, threshold])) as never;

describe(`a desk, whatever happens to it (seed ${SEED})`, () => {
  it('brings each command to one end at most, and shows nothing as done that was only sent', async () => {
    const seen = new Set<StoredState>();
    await fc.assert(
      fc.asyncProperty(fc.commands(steps, { maxCommands: 60, size: 'max' }), async (commands) => {
        const world = await deskWorld({ policy: { thresholds } });
        try {
          const model: Model = { commands: [] };
          await fc.asyncModelRun(() => ({ model, real: world }), commands);
          for (const { state } of model.commands) seen.add(state);
          await endsAll(model, world);
          for (const { state } of model.commands) seen.add(state);
        } finally {
          await world.close();
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // The runs met all of it; otherwise they prove less than they say.
    expect([...seen].sort()).toEqual(
      [
        'awaiting-approval',
        'cancelled',
        'executed',
        'expired',
        'failed',
        'quarantined',
        'queued',
        'refused',
        'sent',
        'unknown',
      ].filter((state) => RUNS >= 60 || seen.has(state as StoredState)),
    );
  }, 60_000);
});

/** Time alone ends everything, and the audit tells each life from its proposal to its one end. */
async function endsAll(model: Model, world: DeskWorld): Promise<void> {
  world.clock.advance(90 * 86_400_000);
  while ((await world.desk.expire()) > 0) await agree(model, world);
  const rows = [];
  for (let after = 0; ; ) {
    const page = await world.store.auditRows({ after, limit: 500 });
    rows.push(...page);
    if (page.length === 0) break;
    after = page.at(-1)!.n;
  }
  expect(verifyAudit(rows, { tenant: ORES, known: [await world.store.auditHead()] }).faults).toEqual([]);
  const lives = new Map<CommandId, StoredState | 'proposed'>();
  for (const { command, from, to } of rows) {
    if (command === null || to === null) continue;
    expect(from).toBe(lives.get(command) ?? 'proposed');
    lives.set(command, to as StoredState);
  }
  for (const { command, terminal } of model.commands) {
    expect(terminal).toBeDefined();
    expect(lives.get(command.id)).toBe(terminal);
  }
}
