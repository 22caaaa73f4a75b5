import { type P1Channel, type P1Telegram, printedValue } from '../../edge/p1/telegram.ts';
import { isoTime } from '../../edge/p1/time.ts';

/** A number of a telegram as people and programs read it: in the unit that the meter printed. */
export interface Quantity {
  readonly obis: string;
  /** Decimal, without leading zeros: what the meter printed, no digit more or less. */
  readonly value: string;
  readonly unit: string | null;
  /** Of a month's peak: when it was. */
  readonly time?: string | null;
}

type Exact = Parameters<typeof printedValue>[0] & { readonly obis: string };

const exact = (one: Exact): Quantity => ({
  obis: one.obis,
  value: printedValue(one),
  unit: unitOf(one.printedUnit),
});

export const unitOf = (printed: string): string | null => (printed === '' ? null : printed);

function state(obis: string, value: number | null): readonly Quantity[] {
  return value === null ? [] : [{ obis, value: String(value), unit: null }];
}

/** Everything of the main meter that is a number: registers first, then what is momentary, then states. */
export function quantitiesOf(telegram: P1Telegram): Quantity[] {
  const { monthPeak, limiter } = telegram;
  return [
    ...telegram.registers.map(exact),
    ...(monthPeak === null ? [] : [{ ...exact(monthPeak), time: timeText(monthPeak.time) }]),
    ...telegram.instants.map(exact),
    ...telegram.others.map(exact),
    ...(limiter === null ? [] : [exact(limiter)]),
    ...telegram.fuses.map(exact),
    ...telegram.counters.map(exact),
    ...state('0-0:96.14.0', telegram.tariff),
    ...state('0-0:96.3.10', telegram.breaker),
    ...telegram.relays.flatMap((relay) => state(`0-${relay.relay}:96.3.10`, relay.state)),
    ...state('1-0:94.32.1', telegram.gridVolts),
  ];
}

export function timeText(time: Parameters<typeof isoTime>[0] | null): string | null {
  return time === null ? null : isoTime(time);
}

/** Device types of cold (EN 13757-3 table 4): they are shown by name, but no medium that anybody is billed for here. */
const COOLING: ReadonlySet<number> = new Set([10, 11]);

/** What an M-Bus device measures, or null where its type says nothing that we know. */
export function mediumOf({ medium, deviceType }: P1Channel): string | null {
  return medium ?? (deviceType !== null && COOLING.has(deviceType) ? 'cooling' : null);
}
