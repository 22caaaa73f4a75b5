import { z } from 'zod';
import { commandId, commandType, deviceId, role } from '../api/shapes.ts';
import type { ShownCampaign } from './campaigns.ts';
import { ALL_CAMPAIGN_STATES, type CampaignState } from './lifecycle/states.ts';
import { ITEM_STATES, type ItemResult } from './store/port.ts';

/** Campaigns as the API shows them: times in ISO 8601. */

const iso = z.iso.datetime();
const campaignId = commandId.describe('a campaign id: 32 lower-case hex digits');
export const itemState = z.enum(ITEM_STATES);
const counts = { ready: z.int(), open: z.int(), done: z.int(), failed: z.int(), skipped: z.int() };

export const campaignView = z.strictObject({
  id: campaignId,
  type: commandType,
  state: z.enum(ALL_CAMPAIGN_STATES as [CampaignState, ...CampaignState[]]),
  /** Why it stands where it stands: `error-rate`, `silent`, `expired`, or the code of an error. */
  code: z.string().nullable(),
  person: z.string(),
  role,
  approver: z.string().nullable(),
  reason: z.string().nullable(),
  /** The campaign whose failures it repeats. */
  parent: campaignId.nullable(),
  count: z.int(),
  /** Commands that are there, and those of them that have their second signature. */
  received: z.int(),
  countersigned: z.int(),
  countersigner: z.string().nullable(),
  errorLimitPermille: z.int(),
  waveSeconds: z.int(),
  createdAt: iso,
  changedAt: iso,
  notBefore: iso,
  expiry: iso,
  /** The wave that runs, from 0. */
  wave: z.int().nullable(),
  waves: z.array(z.strictObject({ size: z.int(), startedAt: iso.nullable(), ...counts })),
  totals: z.strictObject(counts),
  /** SHA-256 of the manifest. */
  digest: z.string(),
});
export type CampaignView = z.input<typeof campaignView>;

export const shownCampaign = campaignView.extend({
  /** COSE_Sign1 over the manifest, base64: of whoever submitted it, and of whoever approved it. */
  proposal: z.string(),
  approval: z.string().nullable(),
});

export const resultView = z.strictObject({
  n: z.int(),
  wave: z.int(),
  device: deviceId,
  command: commandId,
  state: itemState,
  /** The last state of its command, or `rejected` where the desk did not take it any more. */
  outcome: z.string().nullable(),
  code: z.string().nullable(),
  queuedAt: iso.nullable(),
  endedAt: iso.nullable(),
  /** What the device said after its command had ended. */
  late: z.string().nullable(),
});
export type ResultView = z.input<typeof resultView>;

const isoOfMs = (epochMs: number): string => new Date(epochMs).toISOString();
const isoOrNull = (epochMs: number | null): string | null => (epochMs === null ? null : isoOfMs(epochMs));

export function viewOfCampaign({ stored, manifest, waves }: ShownCampaign): CampaignView {
  const { id, type, state, code, person, role, approver, reason, parent, count, received, wave, digest } =
    stored;
  const totals = { ready: 0, open: 0, done: 0, failed: 0, skipped: 0 };
  for (const one of waves) for (const state of ITEM_STATES) totals[state] += one[state];
  return {
    id: id as unknown as CampaignView['id'],
    type,
    state,
    code,
    person,
    role,
    approver,
    reason,
    parent: parent as unknown as CampaignView['parent'],
    count,
    received,
    countersigned: stored.countersigned,
    countersigner: stored.countersigner,
    errorLimitPermille: manifest.errorLimitPermille,
    waveSeconds: manifest.waveSeconds,
    createdAt: isoOfMs(stored.createdAtMs),
    changedAt: isoOfMs(stored.changedAtMs),
    notBefore: isoOfMs(manifest.notBefore * 1_000),
    expiry: isoOfMs(manifest.expiry * 1_000),
    wave,
    waves: waves.map(({ size, startedAtMs, ready, open, done, failed, skipped }) => ({
      size,
      startedAt: isoOrNull(startedAtMs),
      ready,
      open,
      done,
      failed,
      skipped,
    })),
    totals,
    digest,
  };
}

export function viewOfResult(item: ItemResult): ResultView {
  const { n, wave, device, command, state, outcome, code, fedAtMs, endedAtMs, late } = item;
  return {
    n,
    wave,
    device,
    command,
    state,
    outcome,
    code,
    queuedAt: isoOrNull(fedAtMs),
    endedAt: isoOrNull(endedAtMs),
    late,
  };
}
