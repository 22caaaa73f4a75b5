import { AIRPLANE_ENDS } from '../../desk/guards/meter-state.ts';
import type { MeterView, ShownMeter } from '../desk-client/views.ts';
import { table } from '../op/draft.ts';

/** Meters for people. */

const COLUMNS = ['device', 'medium', 'tariff', 'credit', 'breaker', 'airplane mode', 'last seen'] as const;
const WIDTHS = [16, 11, 8, 8, 8, 30, 0] as const;

/** Of another tenant's device: its home tenant knows. */
const UNKNOWN = '?';

const line = (cells: readonly string[]): string =>
  `${cells
    .map((cell, at) => cell.padEnd(WIDTHS[at] ?? 0))
    .join('  ')
    .trimEnd()}\n`;

export const meterHead = (): string => line(COLUMNS);

export function meterLine(meter: MeterView): string {
  const { device, medium, tariffPlan, creditMode, breaker, lastSeen } = meter;
  return line([
    device,
    medium,
    tariffPlan ?? UNKNOWN,
    creditMode ?? UNKNOWN,
    breaker ?? '-',
    airplaneOf(meter),
    lastSeen ?? 'never',
  ]);
}

function airplaneOf({ airplane, airplaneSince }: MeterView): string {
  if (airplane === null) return UNKNOWN;
  if (!airplane) return '-';
  return airplaneSince === null ? 'yes' : `since ${airplaneSince}`;
}

export function meterText(meter: ShownMeter): string {
  const {
    device,
    medium,
    tariffPlan,
    tariffPlanned,
    creditMode,
    breaker,
    lastSeen,
    airplane,
    channels,
    key,
  } = meter;
  const planned = tariffPlanned === null ? '' : `, ${tariffPlanned.plan} from ${tariffPlanned.from}`;
  return table([
    ['device', device],
    ['medium', medium],
    ['tariff plan', `${tariffPlan ?? UNKNOWN}${planned}`],
    ['credit mode', creditMode ?? UNKNOWN],
    ['breaker', breaker ?? (airplane === null ? UNKNOWN : '(has none)')],
    [
      'airplane mode',
      airplane === false ? 'no' : airplane ? `${airplaneOf(meter)}; ${AIRPLANE_ENDS}` : UNKNOWN,
    ],
    ['last seen', lastSeen ?? 'never'],
    ...(key === undefined ? [] : [['sealed to', keyText(key)] as const]),
    ...channels.map(
      ({ channel, medium: behind, owner }) => [`channel ${channel}`, `${behind} of ${owner}`] as const,
    ),
  ]);
}

/** Of which key commands for it are sealed to. */
const keyText = (key: ShownMeter['key']): string =>
  key == null
    ? 'no key yet: nothing is sent to it'
    : `key ${key.kid}, certified until ${key.notAfter.slice(0, DATE_LENGTH)}`;

const DATE_LENGTH = 'YYYY-MM-DD'.length;
