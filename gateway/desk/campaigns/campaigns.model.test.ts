import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import { createDesk } from '../desk.ts';
import { by } from '../testing/world.ts';
import type { CampaignId } from './id.ts';
import { CAMPAIGN_STATES, type CampaignState } from './lifecycle/states.ts';
import { campaignsOf, campaignWorld } from './testing/world.ts';

/**
 * Anything that people, meters, time and restarts can do to a campaign, in any order. After each step what must hold
 * of every campaign holds of this one.
 */

const SEED = Number(process.env['HES_TEST_SEED'] ?? 20_261_124);
const RUNS = Number(process.env['HES_TEST_RUNS'] ?? 15);
const METERS = 12;
const WAVES = [1, 3];

type World = Awaited<ReturnType<typeof campaignWorld>>;
interface Model {
  readonly id: CampaignId;
  approve(): Promise<unknown>;
  approved: boolean;
  terminal: CampaignState | undefined;
  /** Those that a restart made anew act on the same store. */
  hands: ReturnType<typeof campaignsOf>;
}

async function attempt(step: () => Promise<unknown>): Promise<boolean> {
  try {
    await step();
    return true;
  } catch (error) {
    if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
    return false;
  }
}

async function holds(model: Model, w: World): Promise<void> {
  const { stored, waves } = await model.hands.campaigns.show(model.id);
  const { state } = stored;
  if (model.terminal !== undefined) expect(state).toBe(model.terminal);
  if (CAMPAIGN_STATES[state].terminal) model.terminal = state;
  const { items: commands } = await w.store.commands({ limit: 50 });
  if (!model.approved) {
    expect(commands).toEqual([]);
    expect(['awaiting-approval', 'stopped', 'expired']).toContain(state);
  }
  // Every meter is counted once, and at most one command exists for each.
  const counted = waves.reduce((sum, w) => sum + w.ready + w.open + w.done + w.failed + w.skipped, 0);
  expect(counted).toBe(METERS);
  expect(new Set(commands.map(({ device }) => device)).size).toBe(commands.length);
  // A count is what its items and their commands say.
  const results = await model.hands.campaigns.results(model.id, { after: -1, limit: METERS });
  for (const { command, state: item, outcome } of results) {
    const found = commands.find(({ id }) => id === command);
    if (item === 'ready') expect(found).toBeUndefined();
    if (item === 'open') expect(['queued', 'sent']).toContain(found?.state);
    if (item === 'done') expect(found?.state).toBe('executed');
    if (found !== undefined && item !== 'open') expect(outcome).toBe(found.state);
  }
  // No wave has begun while one before it has commands that were not fed.
  const begun = waves.findLastIndex(({ startedAtMs }) => startedAtMs !== null);
  if (state === 'running') for (const wave of waves.slice(0, Math.max(0, begun))) expect(wave.ready).toBe(0);
  for (const wave of waves.slice(begun + 1)) expect([wave.open, wave.done]).toEqual([0, 0]);
  if (state === 'done') expect(waves.every(({ ready, open }) => ready + open === 0)).toBe(true);
}

type Step = fc.AsyncCommand<Model, World>;
const step = (name: string, run: (model: Model, w: World) => Promise<unknown>): Step => ({
  check: () => true,
  async run(model, w) {
    await run(model, w);
    await holds(model, w);
  },
  toString: () => name,
});

const asked = (what: 'pause' | 'resume' | 'stop', name: 'ann' | 'bea' | 'sue') =>
  step(`${what} by ${name}`, (model) =>
    attempt(() => model.hands.campaigns[what]({ id: model.id, by: by(name) })),
  );

const STEPS: fc.Arbitrary<Step>[] = [
  fc.constant(
    step('approve', async (model) => {
      if (await attempt(model.approve)) model.approved = true;
    }),
  ),
  fc.constant(step('run', (model) => model.hands.settle())),
  fc.constant(step('one step', (model) => model.hands.campaigns.pass())),
  fc
    .tuple(fc.nat(METERS - 1), fc.constantFrom(null, null, null, 'unsupported', 'silent', 'airplane'))
    .map(([first, answer]) =>
      step(`from meter ${first} on: ${answer}`, async (model, w) => {
        const { stored } = await model.hands.campaigns.show(model.id);
        const taken = await model.hands.wake(w.devices.slice(first, first + 4), () => answer);
        // Nothing leaves the queue while it is held.
        if (CAMPAIGN_STATES[stored.state].holds) expect(taken).toBe(0);
      }),
    ),
  fc
    .tuple(fc.constantFrom('pause', 'resume', 'resume', 'stop'), fc.constantFrom('ann', 'bea', 'sue'))
    .map(([what, name]) => asked(what as 'pause', name as 'ann')),
  fc.constantFrom(900, 3_600).map((seconds) =>
    step(`${seconds} s`, async (model, w) => {
      w.world.clock.advance(seconds * 1_000);
      await w.world.desk.expire();
      await model.hands.settle();
    }),
  ),
  fc.constant(
    step('a restart', async (model, w) => {
      model.hands = campaignsOf({ ...w.world, desk: createDesk(w.world.options) });
    }),
  ),
];

describe(`a campaign, whatever happens to it (seed ${SEED})`, () => {
  it('counts each meter once, runs only when it was approved, and comes to one end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(STEPS, { maxCommands: 40 }), async (steps) => {
        const w = await campaignWorld(METERS);
        const made = w.make({ count: METERS, change: { waves: WAVES, errorLimitPermille: 400 } });
        const { id } = await w.upload(made);
        const model: Model = {
          id,
          approve: () => w.approve(id, made.manifest),
          approved: false,
          terminal: undefined,
          hands: w,
        };
        try {
          await fc.asyncModelRun(() => ({ model, real: w }), steps);
          // Time ends everything, and nothing is left open.
          w.world.clock.set((made.manifest.expiry + 3_600) * 1_000);
          while ((await w.world.desk.expire()) > 0);
          await model.hands.settle();
          await holds(model, w);
          expect(model.terminal).toBeDefined();
        } finally {
          await w.world.close();
        }
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });
});
