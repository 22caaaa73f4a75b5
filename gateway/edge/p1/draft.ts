import type { ObisCode } from '../../../protocol/reading.ts';
import type { LineView } from './line.ts';
import type {
  P1Channel,
  P1Failure,
  P1Message,
  P1Peak,
  P1Quantity,
  P1Reading,
  P1Telegram,
} from './telegram.ts';
import type { P1Time } from './time.ts';
import type { UnitRow } from './units.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface ChannelDraft extends Mutable<P1Channel> {
  readings: P1Reading[];
}

/** A telegram while it is being read. */
export interface TelegramDraft extends Mutable<P1Telegram> {
  registers: P1Quantity[];
  instants: P1Quantity[];
  others: P1Quantity[];
  peaks: P1Peak[];
  relays: { relay: number; state: number }[];
  fuses: P1Quantity[];
  counters: P1Quantity[];
  failures: P1Failure[];
  messages: P1Message[];
  channels: ChannelDraft[];
  unknown: string[];
}

/** What the first line of an old gas reading promises to the second. */
export interface LegacyReading {
  readonly channel: ChannelDraft;
  readonly obis: ObisCode;
  readonly unit: UnitRow | null;
  readonly time: P1Time | null;
  readonly placeholder: boolean;
}

export interface ReadState {
  readonly draft: TelegramDraft;
  pending: LegacyReading | null;
  serialRank: number;
  /** A register was printed twice: two telegrams that ran into each other. */
  repeated: boolean;
}

/** Reads one line into the draft; false keeps the line as unknown. */
export type Handler = (line: LineView, state: ReadState) => boolean;

export function emptyDraft(header: string): TelegramDraft {
  return {
    header,
    crc: 'valid',
    encryption: 'none',
    version: null,
    meterTime: null,
    clockInvalid: false,
    serial: null,
    ean: null,
    registers: [],
    instants: [],
    others: [],
    monthPeak: null,
    peaks: [],
    tariff: null,
    breaker: null,
    relays: [],
    limiter: null,
    fuses: [],
    gridVolts: null,
    counters: [],
    failures: [],
    text: null,
    messages: [],
    channels: [],
    unknown: [],
  };
}
