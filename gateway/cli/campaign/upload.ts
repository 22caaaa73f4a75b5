import { setTimeout as delay } from 'node:timers/promises';
import type { z } from 'zod';
import { isHesError } from '../../../protocol/errors.ts';
import type { CampaignId } from '../../desk/campaigns/id.ts';
import { CHUNK_MAX } from '../../desk/campaigns/limits.ts';
import { bodyOf, checkStatus, type DeskClient, isOfTheWay } from '../desk-client/client.ts';
import { clientError } from '../desk-client/errors.ts';
import { bundleChunks, proposalOf } from './bundle.ts';
import type { Progress } from './progress.ts';
import { CAMPAIGN_VIEW, type CampaignView, campaignPath } from './views.ts';

/** Chunks go to the desk one after the other; a connection that is lost goes on where the desk says that it was. */

/** From half a second on, doubling to eight: a desk that is started again is there within a minute. */
const WAIT_MIN_MS = 500;
const WAIT_MAX_MS = 8_000;
export const PATIENCE_SECONDS = 90;

/** Ask again while the way is what fails. @throws what the desk answers; the way's error once patience is over */
export async function persist<T>(ask: () => Promise<T>, patienceSeconds = PATIENCE_SECONDS): Promise<T> {
  const untilMs = performance.now() + patienceSeconds * 1_000;
  for (let waitMs = WAIT_MIN_MS; ; waitMs = Math.min(WAIT_MAX_MS, waitMs * 2))
    try {
      return await ask();
    } catch (error) {
      if (!isOfTheWay(error) && !isHesError(error, 'ERR_DESK_STORE')) throw error;
      if (performance.now() + waitMs > untilMs) throw error;
      await delay(waitMs);
    }
}

async function postLines<S extends z.ZodType>(
  { connection }: DeskClient,
  path: string,
  lines: readonly string[],
  schema: S,
): Promise<z.output<S>> {
  const response = await connection.send({
    method: 'POST',
    path,
    body: lines.map((line) => `${line}\n`).join(''),
    contentType: 'application/x-ndjson',
  });
  const text = await bodyOf(response);
  await checkStatus(response, text);
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw clientError('ERR_OP_ANSWER', 'an answer of another form');
}

/**
 * A chunk may arrive and its answer be lost: then it is sent once more, and the desk compares.
 * @returns the campaign as it is afterwards
 */
export const sendChunk = (
  client: DeskClient,
  id: CampaignId,
  what: 'commands' | 'countersignatures',
  from: number,
  lines: readonly string[],
  patienceSeconds?: number,
): Promise<CampaignView> =>
  persist(
    () => postLines(client, `${campaignPath(id, what)}?from=${from}`, lines, CAMPAIGN_VIEW),
    patienceSeconds,
  );

/**
 * Submit what a bundle holds, or the rest of it.
 * @returns the campaign once all of it is there
 * @throws what the desk refuses it with; ERR_CAMPAIGN_BUNDLE
 */
export async function uploadBundle(
  client: DeskClient,
  file: string,
  { progressOf, patience }: { readonly progressOf: (total: number) => Progress; readonly patience?: number },
): Promise<CampaignView> {
  const signed = Buffer.from(proposalOf(file)).toString('base64');
  let campaign = await persist(
    () => client.post('/v1/campaigns', { signed }, CAMPAIGN_VIEW, { again: true }),
    patience,
  );
  const progress = progressOf(campaign.count);
  progress.at(campaign.received);
  for await (const { from, lines } of bundleChunks(file, campaign.received, CHUNK_MAX)) {
    campaign = await sendChunk(client, campaign.id, 'commands', from, lines, patience);
    progress.at(campaign.received);
  }
  progress.end();
  return campaign;
}
