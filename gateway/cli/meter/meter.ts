import type { DeskFlags } from '../desk-client/flags.ts';
import { atDesk } from '../desk-client/open.ts';
import { pages } from '../desk-client/pages.ts';
import { METER_VIEW, SHOWN_METER } from '../desk-client/views.ts';
import { EXIT } from '../exit.ts';
import { writeArray, writeTable } from '../op/look.ts';
import { parseDevice } from '../op/propose.ts';
import { meterHead, meterLine, meterText } from './render.ts';

export interface MeterListFlags extends DeskFlags {
  readonly airplane?: boolean;
  readonly prepaid?: boolean;
  readonly limit?: number;
  readonly json?: boolean;
}

/** @returns the exit code */
export async function listMeters(flags: MeterListFlags): Promise<number> {
  const { airplane, prepaid, limit, json = false } = flags;
  return atDesk(flags, async ({ client }) => {
    const query = { airplane, creditMode: prepaid === true ? 'prepaid' : undefined };
    const list = { path: '/v1/meters', query, cursor: 'after', item: METER_VIEW } as const;
    const meters = pages(client, list, limit);
    if (json) await writeArray(meters);
    else await writeTable(meters, meterHead(), meterLine, 'There is no such meter.\n');
    return EXIT.ok;
  });
}

export interface MeterShowFlags extends DeskFlags {
  readonly json?: boolean;
}

/** @returns the exit code */
export async function showMeter(device: string, flags: MeterShowFlags): Promise<number> {
  const path = `/v1/meters/${parseDevice(device)}`;
  return atDesk(flags, async ({ client }) => {
    const meter = await client.get(path, SHOWN_METER);
    process.stdout.write(flags.json === true ? `${JSON.stringify(meter)}\n` : meterText(meter));
    return EXIT.ok;
  });
}
