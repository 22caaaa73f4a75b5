/**
 * The file of the Walloon tariff change of 1 January 2026, for a park: what an operator's own systems would export.
 *
 *     hes meter list --json --as ores/supervisor | node deploy/examples/campaigns/walloon-2026.ts > walloon-2026.csv
 *
 * Two-rate meters get the new windows (peak 07–11 and 17–22, all seven days); a share of the households has chosen
 * IMPACT. The windows are those of protocol's presets, and stand in the file, so that whoever reads it sees them.
 */
import { presetWindows } from '../../../protocol/command/presets.ts';
import type { Plan } from '../../../protocol/command/tariff.ts';
import { windowsToText } from '../../../protocol/command/tariff-text.ts';
import type { TenantId } from '../../../protocol/identity.ts';

/** As `hes meter list --json` prints them. */
export interface ListedMeter {
  readonly device: string;
  readonly medium: string;
  readonly home: string;
}

export const FROM = '2026-01-01';
/** One household of so many has asked for it. */
const IMPACT_OF = 50;

const quoted = (text: string): string => (/[",;]/.test(text) ? `"${text}"` : text);

/** Which plan a meter gets: by its id, so that the same park gives the same file. */
export const planOf = (device: string): Plan =>
  Number.parseInt(device.slice(-6), 16) % IMPACT_OF === 0 ? 'impact' : 'bi';

export function* walloonLines(tenant: TenantId, meters: Iterable<ListedMeter>): Generator<string> {
  const windows = (plan: Plan): string => {
    const preset = presetWindows(tenant, plan, FROM);
    if (preset === undefined) throw new Error(`${tenant} is not in Wallonia: there is no such plan`);
    return quoted(windowsToText(preset));
  };
  const texts = { bi: windows('bi'), impact: windows('impact') };
  yield 'device,plan,windows,from\n';
  for (const { device, medium, home } of meters) {
    // A meter of another tenant may be behind a device of ours, and the other way round: the device is its home's.
    if (medium !== 'electricity' || home !== tenant) continue;
    const plan = planOf(device) as keyof typeof texts;
    yield `${device},${plan},${texts[plan]},${FROM}\n`;
  }
}

if (import.meta.main) {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  const meters = JSON.parse(Buffer.concat(chunks).toString('utf8')) as readonly ListedMeter[];
  const tenant = (process.argv[2] ?? 'ores') as TenantId;
  for (const line of walloonLines(tenant, meters)) process.stdout.write(line);
}
