import { z } from 'zod';
import type { CommandBody } from '../../../protocol/command/command.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { PREVIEW_MAX } from '../../desk/campaigns/limits.ts';
import { localDay } from '../../desk/time.ts';
import type { DeskClient } from '../desk-client/client.ts';
import { METER_VIEW, type MeterView } from '../desk-client/views.ts';
import type { CampaignDraft } from './lines.ts';

/** How the meters of a campaign stand now, as the desk's registry has them: what a dry run counts. */

export const STANDINGS = {
  ready: { refused: false, says: 'ready' },
  already: { refused: false, says: 'already so, as far as the registry knows' },
  airplane: { refused: true, says: 'in airplane mode: to be contacted otherwise' },
  prepaid: { refused: true, says: 'in prepayment, which this command is not for' },
  foreign: { refused: true, says: 'of another tenant' },
  unknown: { refused: true, says: 'unknown to the registry' },
} as const satisfies Readonly<
  Record<
    string,
    {
      /** The desk would not take a command for it. */
      readonly refused: boolean;
      readonly says: string;
    }
  >
>;
export type Standing = keyof typeof STANDINGS;
export const ALL_STANDINGS = Object.keys(STANDINGS) as readonly Standing[];

export interface Stood {
  readonly draft: CampaignDraft;
  readonly standing: Standing;
  readonly meter: MeterView | null;
}

const PREVIEW = z.looseObject({ items: z.array(METER_VIEW.extend({ home: z.string() }).nullable()) });

/** @param told after each page: how many have been asked for */
export async function standingsOf(
  client: DeskClient,
  tenant: TenantId,
  drafts: readonly CampaignDraft[],
  { nowMs, told }: { readonly nowMs: number; readonly told: (count: number) => void },
): Promise<readonly Stood[]> {
  const today = localDay(nowMs / 1_000);
  const stood: Stood[] = [];
  for (let from = 0; from < drafts.length; from += PREVIEW_MAX) {
    const page = drafts.slice(from, from + PREVIEW_MAX);
    const devices = page.map(({ device }) => device);
    const { items } = await client.post('/v1/campaigns/preview', { devices }, PREVIEW, { again: true });
    for (const [index, draft] of page.entries()) {
      const meter = items[index] ?? null;
      stood.push({ draft, meter, standing: standingOf(draft.body, meter, tenant, today) });
    }
    told(stood.length);
  }
  return stood;
}

/** The guards of the desk (gateway/desk/guards), as far as the registry's view tells; the desk asks them again. */
export function standingOf(
  body: CommandBody,
  meter: (MeterView & { readonly home: string }) | null,
  tenant: TenantId,
  today: string,
): Standing {
  if (meter === null) return 'unknown';
  const owns = meter.channels.some(({ owner }) => owner === tenant);
  if (rowOf(body.type).scope === 'device' ? meter.home !== tenant : !owns) return 'foreign';
  if (meter.airplane) return 'airplane';
  if (body.type === 'airplane.on' && meter.creditMode === 'prepaid') return 'prepaid';
  return isSo(body, meter, today) ? 'already' : 'ready';
}

/** Whether the meter is so already, where the registry follows what the command changes. */
function isSo(body: CommandBody, meter: MeterView, today: string): boolean {
  const { tariffPlan, tariffPlanned, creditMode, breaker } = meter;
  if (body.type === 'tariff.set') {
    const { plan, from } = body.arguments;
    return from <= today
      ? tariffPlanned === null && tariffPlan === plan
      : tariffPlanned?.plan === plan && tariffPlanned.from === from;
  }
  if (body.type === 'prepayment.activate') return creditMode === 'prepaid';
  if (body.type === 'prepayment.deactivate') return creditMode === 'credit';
  if (body.type === 'breaker.open') return breaker === 'open';
  return false;
}
