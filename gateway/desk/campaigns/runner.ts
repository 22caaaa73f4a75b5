import { isHesError } from '../../../protocol/errors.ts';
import { CLOCK, DESK, type DeskContext, move, transact, type Work } from '../context.ts';
import { isTerminal } from '../lifecycle/states.ts';
import type { StoredCommand } from '../store/port.ts';
import { auditCampaign, moveCampaign } from './common.ts';
import { feed } from './feed.ts';
import type { CampaignId } from './id.ts';
import { judge } from './lifecycle/rules.ts';
import { nextCampaignState, OPEN_CAMPAIGN_STATES } from './lifecycle/states.ts';
import { type Proven, prove } from './proven.ts';
import type { StoredCampaign } from './store/port.ts';

/**
 * What moves campaigns: it feeds the running wave into the queue, judges it, begins the next, and takes back what a
 * stopped campaign has not sent. It keeps nothing that it could lose: each step is a transaction, and a step that a
 * crash cut off is taken again by what the store says.
 */

/** Commands that enter the queue with one commit; an answer of the API waits for no more than these. */
const FEED_AT_ONCE = 64;
const TAKE_BACK_AT_ONCE = 128;
/** Waves are over, and commands expire, by the clock: to so many milliseconds. */
const TICK_MS = 5_000;
const NONE_FORGIVEN = { ended: 0, failed: 0, silent: false } as const;

export class CampaignRunner {
  readonly #context: DeskContext;
  readonly #proven = new Map<CampaignId, Proven>();
  /** How far the taking back of a campaign has come: what was sent stays open, and is not looked at again. */
  readonly #takenBack = new Map<CampaignId, number>();
  readonly #failed: (error: unknown) => void;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = true;

  /** @param failed told when the store does not do it; the next tick tries again */
  constructor(context: DeskContext, failed: (error: unknown) => void = () => {}) {
    this.#context = context;
    this.#failed = failed;
  }

  start(): void {
    this.#stopped = false;
    this.#timer = setInterval(() => this.kick(), TICK_MS);
    this.#timer.unref();
    this.kick();
  }

  /** Resolves once the step in hand has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await this.#running;
  }

  /** Something changed that campaigns may wait for. */
  kick(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#running ??= this.#run()
      .catch(this.#failed)
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** The desk told of a change: an end may end a wave. */
  changed(command: StoredCommand): void {
    if (isTerminal(command.state)) this.kick();
  }

  async #run(): Promise<void> {
    // What else ends in this turn is looked at once.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#again && !this.#stopped) {
      this.#again = false;
      if (await this.pass()) this.#again = true;
    }
  }

  /**
   * One step of each campaign that has not ended.
   * @returns whether one of them has more to do at once
   */
  async pass(): Promise<boolean> {
    let isMore = false;
    for (const campaign of await this.#context.store.campaigns.inStates(OPEN_CAMPAIGN_STATES)) {
      if (campaign.state !== 'running') this.#proven.delete(campaign.id);
      if (await this.#step(campaign)) isMore = true;
    }
    return isMore;
  }

  async #step(campaign: StoredCampaign): Promise<boolean> {
    if (this.#context.clock.nowMs() >= campaign.expiry * 1_000 && campaign.state !== 'stopping')
      return this.#expire(campaign);
    if (campaign.state === 'stopping') return this.#takeBack(campaign);
    return campaign.state === 'running' ? this.#advance(campaign) : false;
  }

  /** As it is within the transaction; undefined where it is elsewhere by now. */
  #inState<T>(
    { id, state }: StoredCampaign,
    work: (work: Work, campaign: StoredCampaign) => Promise<T>,
  ): Promise<T | undefined> {
    return transact(this.#context, async (inside) => {
      const campaign = await inside.transaction.campaigns.campaign(id);
      return campaign?.state === state ? work(inside, campaign) : undefined;
    });
  }

  async #expire(campaign: StoredCampaign): Promise<boolean> {
    await this.#inState(campaign, (work, now) => {
      const isBegun = nextCampaignState(now.state, 'campaign-over') !== undefined;
      const cause = isBegun ? 'campaign-over' : 'campaign-expired';
      return moveCampaign(work, now, cause, { actor: CLOCK, code: 'expired' });
    });
    return true;
  }

  async #advance(campaign: StoredCampaign): Promise<boolean> {
    const proven = this.#proven.get(campaign.id) ?? (await this.#prove(campaign));
    if (proven === undefined) return false;
    const { manifest } = proven;
    const waves = await this.#context.store.campaigns.waves(campaign);
    const wave = waves[campaign.wave!]!;
    const isLast = campaign.wave === waves.length - 1;
    const verdict = judge(wave, {
      forgiven: campaign.forgiven,
      limitPermille: manifest.errorLimitPermille,
      waveSeconds: manifest.waveSeconds,
      isLast,
      nowMs: this.#context.clock.nowMs(),
    });
    if (verdict.kind === 'halt') {
      await this.#halt(campaign, verdict.code);
      return false;
    }
    if (wave.ready > 0) return this.#feed(campaign, proven);
    if (verdict.kind === 'wait') return false;
    if (!isLast) return this.#next(campaign);
    if (waves.some(({ ready, open }) => ready + open > 0)) return false;
    await this.#inState(campaign, (work, now) => moveCampaign(work, now, 'campaign-done', { actor: DESK }));
    return false;
  }

  /** Once in the life of a process, and whenever it begins to run: what was signed, and what lies there. */
  async #prove(campaign: StoredCampaign): Promise<Proven | undefined> {
    try {
      const proven = await this.#context.store.transaction((transaction) =>
        prove(this.#context, transaction, campaign),
      );
      this.#proven.set(campaign.id, proven);
      return proven;
    } catch (error) {
      if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
      // A certificate can be revoked: somebody decides. Other bytes than were signed are never run.
      if (error.code.startsWith('ERR_TRUST_')) await this.#halt(campaign, error.code);
      else
        await this.#inState(campaign, (work, now) =>
          moveCampaign(work, now, 'campaign-spoiled', { actor: DESK, code: error.code }),
        );
      return undefined;
    }
  }

  async #halt(campaign: StoredCampaign, code: string): Promise<void> {
    await this.#inState(campaign, (work, now) =>
      moveCampaign(work, now, 'campaign-halted', { actor: DESK, code }),
    );
  }

  async #feed(campaign: StoredCampaign, proven: Proven): Promise<boolean> {
    const items = await this.#context.store.transaction((transaction) =>
      transaction.campaigns.itemsIn(campaign, 'ready', 0, FEED_AT_ONCE),
    );
    const ofWave = items.filter(({ wave }) => wave === campaign.wave);
    await Promise.all(ofWave.map((item) => feed(this.#context, campaign, item, proven)));
    return true;
  }

  async #next(campaign: StoredCampaign): Promise<boolean> {
    const wave = campaign.wave! + 1;
    await this.#inState(campaign, async (work, now) => {
      const { campaigns } = work.transaction;
      await campaigns.startWave(now, wave, work.nowMs);
      await campaigns.changeCampaign(now.id, now.state, { wave, forgiven: NONE_FORGIVEN });
      await auditCampaign(work, now, 'campaign-wave', { actor: DESK, code: String(wave + 1) });
    });
    return true;
  }

  /** What was not fed ends, what waits in the queue is cancelled, what was sent ends by itself. */
  async #takeBack(campaign: StoredCampaign): Promise<boolean> {
    const from = this.#takenBack.get(campaign.id) ?? 0;
    const next = await this.#inState(campaign, async (work, now) => {
      const { campaigns } = work.transaction;
      const ready = await campaigns.itemsIn(now, 'ready', 0, TAKE_BACK_AT_ONCE);
      const end =
        now.code === 'expired'
          ? ({ state: 'failed', outcome: 'expired' } as const)
          : ({ state: 'skipped', outcome: 'cancelled' } as const);
      for (const { n } of ready)
        await campaigns.endItem(now, n, { ...end, code: null, endedAtMs: work.nowMs });
      if (ready.length > 0) return from;
      const open = await campaigns.itemsIn(now, 'open', from, TAKE_BACK_AT_ONCE);
      for (const { command } of open) await this.#cancel(work, now, await work.transaction.command(command));
      if (open.length > 0) return open.at(-1)!.n + 1;
      if ((await campaigns.itemsIn(now, 'open', 0, 1)).length === 0)
        await moveCampaign(work, now, 'campaign-stopped', { actor: DESK, code: now.code });
      return undefined;
    });
    // What was sent may come back into the queue: the next time it is looked at from the beginning.
    if (next === undefined) this.#takenBack.delete(campaign.id);
    else this.#takenBack.set(campaign.id, next);
    return next !== undefined;
  }

  async #cancel(work: Work, campaign: StoredCampaign, command: StoredCommand | undefined): Promise<void> {
    if (command === undefined || isTerminal(command.state) || command.state === 'sent') return;
    await move(work, command, 'cancelled', { actor: DESK, reason: `campaign ${campaign.id}` });
  }
}
