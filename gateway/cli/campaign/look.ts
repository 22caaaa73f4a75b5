import { createWriteStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { CAMPAIGN_STATES, isCampaignState } from '../../desk/campaigns/lifecycle/states.ts';
import type { DeskClient } from '../desk-client/client.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { atDesk } from '../desk-client/open.ts';
import { pages } from '../desk-client/pages.ts';
import { EXIT } from '../exit.ts';
import { csvLine } from './csv.ts';
import { progressBar } from './progress.ts';
import { campaignLine, campaignText } from './render.ts';
import { persist } from './upload.ts';
import {
  CAMPAIGN_VIEW,
  type CampaignView,
  campaignPath,
  parseCampaignId,
  RESULT_VIEW,
  type ResultView,
  SHOWN_CAMPAIGN,
} from './views.ts';

/** `hes op campaign list|show|watch|results|pause|resume|stop`: what needs no signature. */

export interface LookFlags extends DeskFlags {
  readonly json?: boolean;
}

export function listCampaigns({ json = false, limit = 20, ...flags }: LookFlags & { limit?: number }) {
  return atDesk(flags, async ({ client }) => {
    const all: CampaignView[] = [];
    const list = { path: '/v1/campaigns', cursor: 'before', item: CAMPAIGN_VIEW } as const;
    for await (const view of pages(client, list, limit)) all.push(view);
    process.stdout.write(json ? `${JSON.stringify(all)}\n` : all.map(campaignLine).join(''));
    return EXIT.ok;
  });
}

export function showCampaign(text: string, { json = false, ...flags }: LookFlags): Promise<number> {
  const id = parseCampaignId(text);
  return atDesk(flags, async ({ client }) => {
    const view = await client.get(campaignPath(id), SHOWN_CAMPAIGN);
    process.stdout.write(json ? `${JSON.stringify(view)}\n` : campaignText(view));
    return EXIT.ok;
  });
}

export function changeCampaign(
  what: 'pause' | 'resume' | 'stop',
  text: string,
  { json = false, reason, ...flags }: LookFlags & { readonly reason?: string },
): Promise<number> {
  const id = parseCampaignId(text);
  return atDesk(flags, async ({ client }) => {
    const view = await client.post(
      campaignPath(id, what),
      reason === undefined ? {} : { reason },
      CAMPAIGN_VIEW,
    );
    process.stdout.write(json ? `${JSON.stringify(view)}\n` : campaignText(view));
    return EXIT.ok;
  });
}

const LOOK_EVERY_MS = 1_000;

export interface WatchFlags extends LookFlags {
  /** Seconds. */
  readonly timeout?: number;
}

/**
 * Follow a campaign until it has ended, or somebody has to do something about it.
 * @returns the exit code, which says how it stands
 */
export function watchCampaign(text: string, { json = false, timeout, ...flags }: WatchFlags) {
  const id = parseCampaignId(text);
  return atDesk(flags, async ({ client }) => {
    const untilMs = timeout === undefined ? Number.POSITIVE_INFINITY : performance.now() + timeout * 1_000;
    const look = () => persist(() => client.get(campaignPath(id), SHOWN_CAMPAIGN));
    let view = await look();
    const progress = json ? undefined : progressBar('campaign', view.count);
    let said = '';
    for (;;) {
      const { proposal: _, approval: __, ...told } = view;
      const line = JSON.stringify(told);
      if (json && line !== said) process.stdout.write(`${line}\n`);
      said = line;
      const { done, failed, skipped } = view.totals;
      progress?.at(done + failed + skipped);
      if (isAtRest(view) || performance.now() >= untilMs) break;
      await delay(LOOK_EVERY_MS);
      view = await look();
    }
    progress?.end();
    if (!json) process.stdout.write(campaignText(view));
    return exitOf(view);
  });
}

/** Nothing happens to it any more unless somebody does it. */
const isAtRest = ({ state }: CampaignView): boolean =>
  state === 'halted' || state === 'paused' || (isCampaignState(state) && CAMPAIGN_STATES[state].terminal);

function exitOf({ state, totals }: CampaignView): number {
  if (state === 'done') return totals.failed === 0 ? EXIT.ok : EXIT.failed;
  if (state === 'stopped') return EXIT.cancelled;
  if (state === 'expired') return EXIT.expired;
  return state === 'halted' ? EXIT.incomplete : EXIT.pending;
}

export interface ResultsFlags extends LookFlags {
  readonly state?: string;
  readonly out?: string;
}

const HEADER = ['device', 'state', 'outcome', 'code', 'wave', 'queued', 'ended', 'late', 'command'] as const;

const resultLine = (row: ResultView): string => {
  const { device, state, outcome, code, wave, queuedAt, endedAt, late, command } = row;
  return csvLine([device, state, outcome, code, wave + 1, queuedAt, endedAt, late, command]);
};

/** A line for each command, in the order of the campaign: CSV, or JSON lines. */
export function campaignResults(text: string, { json = false, out, state, ...flags }: ResultsFlags) {
  const id = parseCampaignId(text);
  return atDesk(flags, async ({ client }) => {
    const target = out === undefined ? process.stdout : createWriteStream(out, { mode: 0o600 });
    const write = async (line: string): Promise<void> => {
      // A reader that went away is what hes.ts listens for.
      if (!target.write(line)) await new Promise<void>((resolve) => target.once('drain', resolve));
    };
    if (!json) await write(csvLine(HEADER));
    for await (const row of resultsOf(client, id, state))
      await write(json ? `${JSON.stringify(row)}\n` : resultLine(row));
    if (out !== undefined) await new Promise<void>((resolve) => target.end(resolve));
    return EXIT.ok;
  });
}

export const resultsOf = (
  client: DeskClient,
  id: CampaignView['id'],
  state?: string,
): AsyncGenerator<ResultView> =>
  pages(client, {
    path: campaignPath(id, 'results'),
    query: { state },
    cursor: 'after',
    item: RESULT_VIEW,
  });
