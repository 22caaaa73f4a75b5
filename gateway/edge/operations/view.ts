import { rateAt, registerOfRate } from '../../../protocol/command/tariff.ts';
import { dayAt, offsetMinutesAt } from '../days/calendar.ts';
import { isSilent, type MeterState, type Position, type Prepayment } from './state.ts';

/** What a meter shows: for its display, and for what its customer port prints. Pure, at any moment. */

export interface MeterView {
  /** 0 open, 1 closed, 2 ready; null where there is none. */
  readonly breaker: Position | null;
  readonly valves: readonly {
    readonly channel: number;
    readonly position: Position;
    readonly testing: boolean;
  }[];
  readonly limiterW: number | null;
  /** Empty where there is none. */
  readonly message: string;
  /** What 0-0:96.14.0 shows. */
  readonly rate: number;
  /** Of 1.8.1 and 1.8.2 (2.8.1 and 2.8.2) the one that runs. */
  readonly register: 1 | 2;
  /** Whether the customer port speaks at all. */
  readonly port: boolean;
  readonly display: Display;
}

export interface Display {
  /** The screens of prepayment, in the order of the button; empty in the usual credit mode. */
  readonly screens: readonly Screen[];
  /** Which of them is shown. */
  readonly shown: Screen | null;
  readonly symbols: {
    /** The arrow above the symbol of the switch: blinks where the button would close. */
    readonly arrow: 'off' | 'blinking';
    readonly lowCredit: boolean;
    readonly emergencyCredit: boolean;
    readonly airplane: boolean;
    /** Of the communication: off in airplane mode, once that was acknowledged. */
    readonly communication: boolean;
  };
}

export interface Screen {
  readonly name: (typeof SCREENS)[number];
  readonly text: string;
}

export const SCREENS = ['last-update', 'balance', 'emergency-credit'] as const;

const CENTS_PER_EURO = 100;

export function viewAt(state: MeterState, now: number): MeterView {
  const { tariff, prepayment, breaker, valves, message } = state;
  const rate = rateAt(tariff, dayAt(now).name, minuteOfDay(now));
  const screens = prepayment === null ? [] : screensOf(prepayment);
  const balanceCents = prepayment?.balanceCents ?? 0;
  return {
    breaker: breaker?.position ?? null,
    valves: valves.map(({ channel, position, testing }) => ({ channel, position, testing })),
    limiterW: state.limiterW,
    message: message !== null && now < message.until ? message.text : '',
    rate,
    register: registerOfRate(tariff.plan, rate),
    port: state.port,
    display: {
      screens,
      shown: screens[state.screen] ?? null,
      symbols: {
        arrow:
          breaker?.position === 2 || valves.some(({ position, testing }) => position === 2 && !testing)
            ? 'blinking'
            : 'off',
        lowCredit: prepayment !== null && balanceCents <= prepayment.lowCreditAlertCents,
        emergencyCredit: balanceCents < 0,
        airplane: state.airplane !== null,
        communication: !isSilent(state),
      },
    },
  };
}

function screensOf({ asOf, balanceCents, emergencyCreditCents }: Prepayment): readonly Screen[] {
  const leftCents = Math.max(0, emergencyCreditCents + Math.min(0, balanceCents));
  const texts = [localTime(asOf), euros(balanceCents), euros(leftCents)];
  return SCREENS.map((name, index) => ({ name, text: texts[index]! }));
}

/** A minus where it is negative, and no sign otherwise. */
function euros(cents: number): string {
  const size = Math.abs(cents);
  const rest = String(size % CENTS_PER_EURO).padStart(2, '0');
  return `${cents < 0 ? '-' : ''}${Math.floor(size / CENTS_PER_EURO)}.${rest} €`;
}

const MINUTE_SECONDS = 60;
const DAY_MINUTES = 1_440;

/** By the clock on the wall: a day with a clock change has an hour twice, or not at all. */
function minuteOfDay(now: number): number {
  return Math.floor(now / MINUTE_SECONDS + offsetMinutesAt(now)) % DAY_MINUTES;
}

function localTime(seconds: number): string {
  const minute = minuteOfDay(seconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${dayAt(seconds).name} ${two(Math.floor(minute / MINUTE_SECONDS))}:${two(minute % MINUTE_SECONDS)}`;
}
