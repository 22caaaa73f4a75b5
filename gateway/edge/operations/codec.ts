import { asMessageError } from '../../../protocol/cbor/error.ts';
import { CborReader } from '../../../protocol/cbor/reader.ts';
import { always, fields, row, unlessEmpty, unlessNull, unlessZero } from '../../../protocol/cbor/record.ts';
import { choice, integer, list, mapped, nullable, type Shape } from '../../../protocol/cbor/shape.ts';
import { CborWriter } from '../../../protocol/cbor/writer.ts';
import { RESULT_CODES, type ResultCode } from '../../../protocol/command/codes.ts';
import { COMMAND_ID_SHAPE } from '../../../protocol/command/id.ts';
import { COUNTERS, type CounterName } from '../../../protocol/command/row.ts';
import { SUPPLY_CAUSES } from '../../../protocol/command/table.ts';
import { PLANS, type TariffWindow, WINDOW_SHAPE } from '../../../protocol/command/tariff.ts';
import { words } from '../../../protocol/command/words.ts';
import { DAY_NUMBER_MAX, dayOfNumber, numberOfDay } from '../../../protocol/day.ts';
import { TENANT_SHAPE } from '../../../protocol/identity-shape.ts';
import {
  CHANNEL_MAX,
  COUNTER_MAX,
  EPOCH_SECONDS_MAX,
  MESSAGE_LENGTH_MAX,
  METERS_MAX,
  REGISTERS_MAX,
  SEQUENCE_MAX,
  WINDOWS_MAX,
} from '../../../protocol/limits.ts';
import { OBIS_SHAPE } from '../../../protocol/payload.ts';
import { ACTION_SHAPE } from './action-shape.ts';
import type { CounterUse, Delta, Intent, Known, Ledger, SignerCounters, SignerId } from './ledger.ts';
import { SIGNER_ID_BYTES } from './ledger.ts';
import {
  FRAME_BYTES_MAX,
  SETTLED_KEPT_MAX,
  SIGNERS_MAX,
  SILENCES_MAX,
  UNPROVEN_MAX,
  UNSETTLED_MAX,
} from './limits.ts';
import type {
  Airplane,
  Breaker,
  MeterState,
  Position,
  Prepayment,
  ScheduledTariff,
  Silence,
  SupplyCause,
  Valve,
} from './state.ts';
import type { Reads } from './step.ts';

/**
 * How the ledger lies on the disk: deterministic CBOR by shapes that both write and read, so that what is read back
 * is what could have been written, or is refused.
 */

const time = integer(0, EPOCH_SECONDS_MAX);
const sequence = integer(1, SEQUENCE_MAX);
const cents = integer(-1_000_000, 1_000_000);
const watts = integer(0, 1_000_000);
const channel = integer(0, CHANNEL_MAX);
const flag: Shape<boolean> = mapped<boolean, number>(
  integer(0, 1),
  'true or false',
  (value) => (value ? 1 : 0),
  (wire) => wire === 1,
);
const position: Shape<Position> = mapped<Position, number>(
  integer(0, 2),
  'a position',
  (value) => value,
  (wire) => wire as Position,
);
const numbersOf = <Word extends string>(table: Readonly<Record<Word, { readonly number: number }>>) =>
  Object.fromEntries(
    Object.entries<{ readonly number: number }>(table).map(([word, { number }]) => [word, number]),
  ) as Readonly<Record<Word, number>>;
const inOrder = <Word extends string>(words: readonly Word[]) =>
  Object.fromEntries(words.map((word, index) => [word, index])) as Readonly<Record<Word, number>>;

const causes: Shape<readonly SupplyCause[]> = list(
  choice(SUPPLY_CAUSES),
  0,
  Object.keys(SUPPLY_CAUSES).length,
);
const plan = choice(numbersOf(PLANS));
const tariffWindows: Shape<readonly TariffWindow[]> = list(WINDOW_SHAPE, 0, WINDOWS_MAX);
const localDay = mapped(integer(0, DAY_NUMBER_MAX), 'a day', numberOfDay, dayOfNumber);

const tariff = row<MeterState['tariff']>({ plan, windows: tariffWindows });
const scheduled = row<ScheduledTariff>({ plan, windows: tariffWindows, from: localDay });
const prepayment = row<Prepayment>({
  startCreditCents: cents,
  lowCreditAlertCents: cents,
  emergencyCreditCents: cents,
  balanceCents: cents,
  asOf: time,
});
const breaker = row<Breaker>({ position, causes, restUntil: nullable(time) });
const valve = row<Valve>({ channel, position, causes, testing: flag });
const airplane = row<Airplane>({ since: time, command: COMMAND_ID_SHAPE, acknowledged: flag });
const silence = row<Silence>({ since: time, until: time });
const message = row<NonNullable<MeterState['message']>>({ text: words(1, MESSAGE_LENGTH_MAX), until: time });

type Kept = Omit<MeterState, 'overSince' | 'screen'>;
const kept = fields<Kept>({
  tariff: always(1, tariff),
  nextTariff: unlessNull(2, scheduled),
  prepayment: unlessNull(3, prepayment),
  breaker: unlessNull(4, breaker),
  valves: unlessEmpty(5, list(valve, 0, METERS_MAX)),
  limiterW: unlessNull(6, watts),
  port: always(7, flag),
  message: unlessNull(8, message),
  airplane: unlessNull(9, airplane),
  silences: unlessEmpty(10, list(silence, 0, SILENCES_MAX)),
});
const state: Shape<MeterState> = {
  write: (writer, value) => kept.write(writer, value),
  read: (reader) => ({ ...kept.read(reader), overSince: null, screen: 0 }),
};

const reads = row<Reads>({
  channels: list(channel, 0, METERS_MAX),
  registers: list(OBIS_SHAPE, 0, REGISTERS_MAX),
});

const STANDINGS: Readonly<Record<Known['standing'], number>> = { open: 0, settled: 1, unproven: 2, burnt: 3 };
const known = row<Known>({
  id: COMMAND_ID_SHAPE,
  tenant: TENANT_SHAPE,
  sequence,
  time,
  code: nullable(choice<ResultCode>(numbersOf(RESULT_CODES))),
  reads: nullable(reads),
  standing: choice(STANDINGS),
});

const signer: Shape<SignerId> = {
  write: (writer, value) => writer.hexAsBytes(value),
  read: (reader) => reader.bytesOf(SIGNER_ID_BYTES).toString('hex') as SignerId,
};
const counterName = choice(inOrder(COUNTERS));
const counterUse = row<CounterUse>({ signer, name: counterName, counter: integer(0, COUNTER_MAX) });
const counter = row<{ name: CounterName; counter: number }>({
  name: counterName,
  counter: integer(0, COUNTER_MAX),
});
const signerCounters: Shape<SignerCounters> = mapped(
  row<{ signer: SignerId; counters: readonly { name: CounterName; counter: number }[] }>({
    signer,
    counters: list(counter, 0, COUNTERS.length),
  }),
  'the counters of a signer',
  (value: SignerCounters) => ({
    signer: value.signer,
    counters: COUNTERS.flatMap((name) => {
      const highest = value.counters[name];
      return highest === undefined ? [] : [{ name, counter: highest }];
    }),
  }),
  (wire) => ({
    signer: wire.signer,
    counters: Object.fromEntries(wire.counters.map((entry) => [entry.name, entry.counter])),
  }),
);

const intent = row<Intent>({
  known: nullable(known),
  counter: nullable(counterUse),
  action: ACTION_SHAPE,
  state,
  expiry: time,
});

const delta = fields<Delta>({
  state: unlessNull(1, state),
  counter: unlessNull(2, counterUse),
  known: unlessNull(3, known),
  intent: unlessNull(4, intent),
  closes: always(5, flag),
  settled: unlessNull(6, COMMAND_ID_SHAPE),
  report: unlessNull(7, sequence),
  reported: unlessNull(8, sequence),
});

const KNOWN_MAX = UNSETTLED_MAX + SETTLED_KEPT_MAX + UNPROVEN_MAX;
const ledger = fields<Ledger>({
  state: always(1, state),
  signers: unlessEmpty(2, list(signerCounters, 0, SIGNERS_MAX)),
  floor: unlessZero(3, integer(0, COUNTER_MAX)),
  known: unlessEmpty(4, list(known, 0, KNOWN_MAX)),
  intent: unlessNull(5, intent),
  lastSequence: unlessZero(6, integer(0, SEQUENCE_MAX)),
  report: unlessNull(7, sequence),
});

const writer = new CborWriter(FRAME_BYTES_MAX);
const CODES = { schema: 'ERR_JOURNAL_FORMAT', form: 'ERR_JOURNAL_FORMAT' } as const;

const encoder =
  <T>(shape: Shape<T>) =>
  (value: T): Buffer => {
    try {
      return Buffer.from(writer.write(() => shape.write(writer, value)));
    } catch (error) {
      throw asMessageError(error, CODES);
    }
  };
const decoder =
  <T>(shape: Shape<T>) =>
  (bytes: Uint8Array): T => {
    try {
      const reader = new CborReader(bytes);
      const value = shape.read(reader);
      reader.end();
      return value;
    } catch (error) {
      throw asMessageError(error, CODES);
    }
  };

/** What of a state is kept: equal bytes need no write. */
export const encodeState = encoder(state);
export const encodeDelta = encoder(delta);
export const encodeLedger = encoder(ledger);
/** @throws ERR_JOURNAL_FORMAT */
export const decodeDelta = decoder(delta);
/** @throws ERR_JOURNAL_FORMAT */
export const decodeLedger = decoder(ledger);
