import { OBIS_ROWS } from '../../edge/p1/obis.ts';
import { type P1Channel, type P1Telegram, printedValue } from '../../edge/p1/telegram.ts';
import { mediumOf, type Quantity, quantitiesOf, timeText } from './quantities.ts';

const MEANINGS = new Map(OBIS_ROWS.map(({ code, what }) => [code, what]));

const SWITCH_CODE = '96.3.10';

/** What the number of a state means (DSMR P1 5.0.2 §6.12, e-MUCS P1 2.1.1 §7). */
const STATES: Readonly<Record<string, readonly string[]>> = {
  [SWITCH_CODE]: ['open', 'closed', 'ready for reconnection'],
  '24.4.0': ['closed', 'open', 'ready for reconnection'],
};

const CODE_WIDTH = 13;
const VALUE_WIDTH = 14;
const UNIT_WIDTH = 6;

/** A telegram for a person. */
export function telegramTable(telegram: P1Telegram): string {
  const sections = [
    head(telegram),
    quantitiesOf(telegram).map(quantityLine).join('\n'),
    section('M-Bus devices', telegram.channels.flatMap(channelLines)),
    section('Highest quarter-hour of the last months', peakLines(telegram)),
    section('Long power failures', failureLines(telegram)),
    section('Messages', messageLines(telegram)),
    section('Not understood', telegram.unknown.map(visible)),
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n\n`;
}

function head(telegram: P1Telegram): string {
  const { header, version, meterTime, clockInvalid, serial, ean, crc } = telegram;
  const facts: readonly (readonly [name: string, value: string | null])[] = [
    ['meter', visible(header)],
    ['version', version],
    ['its clock', timeText(meterTime) ?? (clockInvalid ? 'not set' : null)],
    ['serial', serial === null ? null : visible(serial)],
    ['EAN', ean],
    ['CRC', crc === 'absent' ? 'absent: this version has none, so damage may go unseen' : crc],
    ['encryption', ENCRYPTION[telegram.encryption]],
  ];
  return facts
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(CODE_WIDTH)} ${value}`)
    .join('\n');
}

const ENCRYPTION: Readonly<Record<P1Telegram['encryption'], string | null>> = {
  none: null,
  verified: 'opened, tag right',
  unverified: 'opened, UNVERIFIED: anybody on the cable can have altered it',
};

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : [title, ...lines.map((line) => `  ${line}`)].join('\n');
}

function codeOf(obis: string): string {
  return obis.slice(obis.indexOf(':') + 1);
}

/** Value group C of what is measured by phase; each holds for D = 7 (moment), 32 (sags) and 36 (swells). */
const PHASES: readonly (readonly [name: string, groups: readonly number[]])[] = [
  ['L1', [21, 22, 23, 24, 31, 32, 33]],
  ['L2', [41, 42, 43, 44, 51, 52, 53]],
  ['L3', [61, 62, 63, 64, 71, 72, 73]],
];
const GROUP_D_REGISTER = 8;
const GROUP_D_FUSE = 4;

function detailOf(code: string): string {
  const [c, d, e] = code.split('.').map(Number);
  if (d === GROUP_D_REGISTER) return e === 0 ? 'all rates' : `rate ${e}`;
  return (d === GROUP_D_FUSE ? undefined : PHASES.find(([, groups]) => groups.includes(c!))?.[0]) ?? '';
}

function meaningOf(obis: string): string {
  const code = codeOf(obis);
  if (code === SWITCH_CODE) return obis.startsWith('0-0:') ? 'breaker' : `relay ${obis[2]}`;
  return MEANINGS.get(code) ?? '';
}

function quantityLine({ obis, value, unit, time }: Quantity): string {
  const code = codeOf(obis);
  const remarks = [meaningOf(obis), detailOf(code), STATES[code]?.[Number(value)], time];
  const remark = remarks.filter((text) => typeof text === 'string' && text !== '').join(', ');
  return row(obis, value, unit, remark);
}

function row(obis: string, value: string, unit: string | null, remark: string): string {
  return `${obis.padEnd(CODE_WIDTH)} ${value.padStart(VALUE_WIDTH)} ${(unit ?? '').padEnd(UNIT_WIDTH)} ${remark}`.trimEnd();
}

function channelLines(device: P1Channel): string[] {
  const { channel, deviceType, serial, ean, valve, readings } = device;
  const what = mediumOf(device) ?? (deviceType === null ? 'unknown' : `device type ${deviceType}`);
  const facts = [
    `channel ${channel}: ${what}`,
    serial === null ? 'no serial' : `serial ${visible(serial)}`,
    ean === null ? null : `EAN ${ean}`,
    valve === null ? null : `valve ${valve} (${STATES['24.4.0']![valve] ?? 'unknown'})`,
    readings.length === 0 ? 'no reading' : null,
  ];
  return [
    facts.filter((fact) => fact !== null).join(', '),
    ...readings.map((reading) => {
      const when = timeText(reading.time) ?? (reading.placeholder ? 'never read' : '');
      return row(reading.obis, printedValue(reading), reading.printedUnit, when);
    }),
  ];
}

function peakLines({ peaks }: P1Telegram): string[] {
  return peaks.map((peak) =>
    row(peak.month ?? 'unknown', printedValue(peak), peak.printedUnit, timeText(peak.time) ?? 'no time'),
  );
}

function failureLines({ failures }: P1Telegram): string[] {
  return failures.map(({ time, durationSeconds }) =>
    row('ended', String(durationSeconds), 's', timeText(time) ?? 'no time'),
  );
}

function messageLines({ text, messages }: P1Telegram): string[] {
  return [
    ...(text === null ? [] : [visible(text)]),
    ...messages.map(({ obis, text: other }) => `${obis} ${visible(other)}`),
  ];
}

/** What a meter, or whoever plays one, printed: it must not reach a terminal as a control sequence. */
function visible(text: string): string {
  return text.replaceAll(/[\x00-\x1f\x7f-\x9f]/g, '·');
}
