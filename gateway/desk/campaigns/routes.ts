import { z } from 'zod';
import { ROLES, type Role } from '../../../protocol/command/roles.ts';
import { COMMAND_TYPES, rowOf } from '../../../protocol/command/table.ts';
import { SIGNED_LENGTH_MAX } from '../api/limits.ts';
import { EVERYBODY, type Line, type Route, route } from '../api/route.ts';
import { commandId, cursor, deviceId, limit, pageOf, reason, signedBytes, whole } from '../api/shapes.ts';
import { meterView, viewOfMeter } from '../api/views.ts';
import { deskError } from '../errors.ts';
import type { Campaigns } from './campaigns.ts';
import type { CampaignId } from './id.ts';
import { CHUNK_MAX, COMMANDS_MAX, PREVIEW_MAX } from './limits.ts';
import type { StoredCampaign } from './store/port.ts';
import type { UploadItem } from './submit.ts';
import { campaignView, itemState, resultView, shownCampaign, viewOfCampaign, viewOfResult } from './views.ts';

/** Campaigns over the API: rows for its table (../api/route.ts). */

const ALL = Object.keys(ROLES) as Role[];
const may = (place: 'propose' | 'approve', role: Role): boolean =>
  COMMAND_TYPES.some((type) => rowOf(type)[place].includes(role));
/** To campaigns of which type, the rows of the command table say. */
const SUBMITTERS = ALL.filter((role) => may('propose', role));
const APPROVERS = ALL.filter((role) => may('approve', role));
const HANDS = ALL.filter((role) => SUBMITTERS.includes(role) || APPROVERS.includes(role));

const CHUNK_BYTES_MAX = CHUNK_MAX * (SIGNED_LENGTH_MAX + 256);
const PREVIEW_BYTES_MAX = PREVIEW_MAX * 24 + 256;

/** Of the same form as a command's. */
const campaignId = commandId as unknown as z.ZodType<CampaignId, string>;
const params = z.strictObject({ id: campaignId });
const from = z.strictObject({ from: whole(0, COMMANDS_MAX) });
const command = z.strictObject({ device: deviceId, signed: signedBytes });
const manifest = z.strictObject({ signed: signedBytes });
const why = z.strictObject({ reason: reason.optional() });

/** @throws ERR_DESK_REQUEST for a bad line, and ERR_DESK_BODY for too many: nothing of the chunk is taken then */
async function chunkOf(lines: AsyncIterable<Line<UploadItem>>): Promise<readonly UploadItem[]> {
  const items: UploadItem[] = [];
  for await (const line of lines) {
    if ('code' in line) throw deskError('ERR_DESK_REQUEST', `line ${line.number}: ${line.detail}`);
    if (items.length === CHUNK_MAX)
      throw deskError('ERR_DESK_BODY', `more than ${CHUNK_MAX} commands at once`);
    items.push(line.value);
  }
  return items;
}

const view = async (campaigns: Campaigns, { id }: StoredCampaign) => viewOfCampaign(await campaigns.show(id));

const CONTROLS = [
  ['pause', 'Let nothing of a campaign leave the queue until it is resumed'],
  ['resume', 'Let a campaign go on; one that stopped by itself only by whoever approves'],
  ['stop', 'End a campaign: what was not sent is taken back'],
] as const;

export const CAMPAIGN_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/campaigns',
    roles: EVERYBODY,
    summary: 'Campaigns, the newest first',
    query: z.strictObject({ before: cursor.optional(), limit }),
    answer: { status: 200, json: pageOf(campaignView) },
    async handle({ desk }, { query: { before, limit } }) {
      const page = await desk.campaigns.list({ limit, ...(before === undefined ? {} : { before }) });
      const last = page.length < limit ? undefined : page.at(-1);
      return { items: page.map(viewOfCampaign), next: last?.stored.seq ?? null };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/campaigns',
    roles: SUBMITTERS,
    summary: 'Submit the signed manifest of a campaign; its commands follow in chunks',
    body: manifest,
    answer: { status: 201, json: campaignView },
    handle: async ({ desk: { campaigns } }, { body: { signed }, caller }) =>
      view(campaigns, await campaigns.submit({ proposal: signed, by: caller })),
  }),
  route({
    method: 'POST',
    path: '/v1/campaigns/preview',
    roles: EVERYBODY,
    summary: 'What the registry has of many devices, in their order; null for one that it has not',
    body: z.strictObject({ devices: z.array(deviceId).min(1).max(PREVIEW_MAX) }),
    bytesMax: PREVIEW_BYTES_MAX,
    answer: { status: 200, json: z.strictObject({ items: z.array(meterView.nullable()) }) },
    async handle({ desk, tenant }, { body: { devices } }) {
      const meters = await desk.campaigns.meters(devices);
      return { items: meters.map((meter) => (meter === undefined ? null : viewOfMeter(meter, tenant))) };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/campaigns/{id}',
    roles: EVERYBODY,
    summary: 'One campaign, with its signed manifest',
    params,
    answer: { status: 200, json: shownCampaign },
    async handle({ desk }, { params: { id } }) {
      const shown = await desk.campaigns.show(id);
      const { proposal, approval } = shown.stored;
      const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
      return {
        ...viewOfCampaign(shown),
        proposal: base64(proposal),
        approval: approval === null ? null : base64(approval),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/campaigns/{id}/commands',
    roles: SUBMITTERS,
    summary: `The next commands of a campaign, from number \`from\` on, ${CHUNK_MAX} at most`,
    params,
    query: from,
    lines: command,
    bytesMax: CHUNK_BYTES_MAX,
    answer: { status: 200, json: campaignView },
    async handle({ desk: { campaigns } }, { params: { id }, query: { from }, lines, caller }) {
      return view(campaigns, await campaigns.upload({ id, from, items: await chunkOf(lines), by: caller }));
    },
  }),
  route({
    method: 'GET',
    path: '/v1/campaigns/{id}/commands',
    roles: EVERYBODY,
    summary: 'The commands of a campaign as they were signed, in the order of its manifest',
    params,
    query: from.extend({ limit }),
    answer: {
      status: 200,
      json: pageOf(z.strictObject({ n: z.int(), device: deviceId, signed: z.string() })),
    },
    async handle({ desk }, { params: { id }, query: { from, limit } }) {
      const items = await desk.campaigns.commands(id, from, limit);
      return {
        items: items.map(({ n, device, signed }) => ({
          n,
          device,
          signed: Buffer.from(signed).toString('base64'),
        })),
        next: items.length < limit ? null : items.at(-1)!.n + 1,
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/campaigns/{id}/countersignatures',
    roles: APPROVERS,
    summary: 'Commands of a critical type with the second signature of whoever approves the campaign',
    params,
    query: from,
    lines: command,
    bytesMax: CHUNK_BYTES_MAX,
    answer: { status: 200, json: campaignView },
    async handle({ desk: { campaigns } }, { params: { id }, query: { from }, lines, caller }) {
      return view(
        campaigns,
        await campaigns.countersign({ id, from, items: await chunkOf(lines), by: caller }),
      );
    },
  }),
  route({
    method: 'POST',
    path: '/v1/campaigns/{id}/approval',
    roles: APPROVERS,
    summary: 'The signature of a second person over the manifest: the campaign runs from then on',
    params,
    body: manifest,
    answer: { status: 200, json: campaignView },
    handle: async ({ desk: { campaigns } }, { params: { id }, body: { signed }, caller }) =>
      view(campaigns, await campaigns.approve({ id, approval: signed, by: caller })),
  }),
  ...CONTROLS.map(([what, summary]) =>
    route({
      method: 'POST',
      path: `/v1/campaigns/{id}/${what}`,
      roles: HANDS,
      summary,
      params,
      body: why,
      answer: { status: 200, json: campaignView },
      async handle({ desk: { campaigns } }, { params: { id }, body: { reason }, caller }) {
        const ask = { id, by: caller, ...(reason === undefined ? {} : { reason }) };
        return view(campaigns, await campaigns[what](ask));
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/v1/campaigns/{id}/results',
    roles: EVERYBODY,
    summary: 'What became of each command of a campaign, in the order of its manifest',
    params,
    query: z.strictObject({ after: cursor.optional(), limit, state: itemState.optional() }),
    answer: { status: 200, json: pageOf(resultView) },
    async handle({ desk }, { params: { id }, query: { after, limit, state } }) {
      const items = await desk.campaigns.results(id, {
        after: after ?? -1,
        limit,
        ...(state === undefined ? {} : { state }),
      });
      return { items: items.map(viewOfResult), next: items.length < limit ? null : items.at(-1)!.n };
    },
  }),
];
