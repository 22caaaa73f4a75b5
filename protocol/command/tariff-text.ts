import { DAYS, type DayKind, dayBit, type TariffWindow } from './tariff.ts';

/** Switching windows as people type and read them: `mon-fri+hol@07:00-22:00=1`, several joined by commas. */

const WINDOW = /^([a-z+-]+)@(\d\d):(\d\d)-(\d\d):(\d\d)=([1-9])$/;
const WEEKDAYS = DAYS.slice(0, 7);

function daysFromText(text: string): number | undefined {
  let days = 0;
  for (const part of text.split('+')) {
    const [first, last = first] = part.split('-', 3) as [string, string?];
    const from = DAYS.indexOf(first as DayKind);
    const to = DAYS.indexOf(last as DayKind);
    if (from < 0 || to < from || part.split('-').length > 2) return undefined;
    for (const day of DAYS.slice(from, to + 1)) days |= dayBit(day);
  }
  return days;
}

/** The windows, or undefined where the text is of another form. `none` is no window. */
export function windowsFromText(text: string): readonly TariffWindow[] | undefined {
  if (text === 'none') return [];
  const windows: TariffWindow[] = [];
  for (const part of text.split(',')) {
    const match = WINDOW.exec(part);
    const days = match === null ? undefined : daysFromText(match[1]!);
    if (match === null || days === undefined) return undefined;
    const [startHour, startMinute, endHour, endMinute, rate] = match.slice(2).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    if (startMinute > 59 || endMinute > 59) return undefined;
    windows.push({
      days,
      startMinute: startHour * 60 + startMinute,
      endMinute: endHour * 60 + endMinute,
      rate,
    });
  }
  return windows;
}

function daysToText(days: number): string {
  const parts: string[] = [];
  for (let from = 0; from < WEEKDAYS.length; from += 1) {
    if ((days & (1 << from)) === 0) continue;
    let to = from;
    while (to + 1 < WEEKDAYS.length && (days & (1 << (to + 1))) !== 0) to += 1;
    parts.push(from === to ? WEEKDAYS[from]! : `${WEEKDAYS[from]}-${WEEKDAYS[to]}`);
    from = to;
  }
  if ((days & dayBit('hol')) !== 0) parts.push('hol');
  return parts.join('+');
}

const clock = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;

export function windowsToText(windows: readonly TariffWindow[]): string {
  if (windows.length === 0) return 'none';
  return windows
    .map(
      ({ days, startMinute, endMinute, rate }) =>
        `${daysToText(days)}@${clock(startMinute)}-${clock(endMinute)}=${rate}`,
    )
    .join(',');
}
