/**
 * P1 telegrams a second, beside the parsers that npm has, in one run. The peers are no dependency of the project:
 * they are installed into a temporary folder, and one that cannot be had is named as absent.
 */
import { parseTelegram } from '../gateway/edge/p1/parse.ts';
import { P1Reader } from '../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../gateway/edge/p1/telegram.ts';
import { encodeTelegramBytes, type P1Dialect } from '../meter-emulator/p1/encode.ts';
import { stateOf } from '../meter-emulator/p1/example.ts';
import type { Bench } from './lib/bench.ts';
import { installPeers, type Peer } from './lib/p1-peers.ts';
import { median, round } from './lib/statistics.ts';

/** Different values, so that nobody parses the same text twice in a row. */
const TELEGRAMS = 64;
const DIALECTS: readonly P1Dialect[] = ['dsmr-5.0', 'emucs-1.7.1', 'emucs-2.1.1'];
const GOAL = { atLeast: 3 } as const;

const FULL = { rounds: 7, roundMs: 300 } as const;
const QUICK = { rounds: 1, roundMs: 20 } as const;

interface Contender {
  readonly name: string;
  /** Handles telegram number `index`; what it returns is kept alive. */
  readonly run: (index: number) => unknown;
  readonly fields: number;
}

/** How many facts a telegram gave: a quantity is one, whatever parts it has. */
function factsOf(telegram: P1Telegram): number {
  const single = [
    telegram.header,
    telegram.version,
    telegram.meterTime,
    telegram.serial,
    telegram.ean,
    telegram.tariff,
    telegram.breaker,
    telegram.limiter,
    telegram.gridVolts,
    telegram.text,
  ].filter((value) => value !== null).length;
  const lists = [
    telegram.registers,
    telegram.instants,
    telegram.relays,
    telegram.fuses,
    telegram.counters,
    telegram.messages,
  ];
  const peaks = telegram.peaks.length + (telegram.monthPeak === null ? 0 : 1);
  const channels = telegram.channels.map(
    ({ deviceType, serial, ean, valve, readings }) =>
      [deviceType, serial, ean, valve].filter((value) => value !== null).length + readings.length * 2,
  );
  // A closed month's peak is a month, a time and a value; a running one and a failure are a time and a value.
  const timed = 3 * peaks - (telegram.monthPeak === null ? 0 : 1) + 2 * telegram.failures.length;
  return single + timed + [...lists.map(({ length }) => length), ...channels].reduce((sum, n) => sum + n, 0);
}

function ours(frames: readonly Buffer[]): Contender[] {
  let last: P1Telegram | undefined;
  const reader = new P1Reader({
    telegram: (telegram) => {
      last = telegram;
    },
  });
  reader.feed(frames[0]!);
  if (last === undefined) throw new Error('the bench cannot read its own telegram');
  const fields = factsOf(last);
  const at = { epochSeconds: 1_750_000_000, offsetMinutes: 120 };
  return [
    { name: 'stream: framed, CRC checked, parsed', fields, run: (index) => reader.feed(frames[index]!) },
    { name: 'frame: CRC checked, parsed', fields, run: (index) => parseTelegram(frames[index]!) },
    {
      name: 'frame to snapshot',
      fields,
      run: (index) => {
        const outcome = parseTelegram(frames[index]!);
        return outcome.ok ? telegramSnapshot(outcome.telegram, at) : outcome;
      },
    },
  ];
}

/** A peer that throws or reads nothing here does not take part in this dialect. */
function contenderOf(peer: Peer, texts: readonly string[]): Contender | null {
  try {
    const fields = peer.countFields(peer.parse(texts[0]!));
    return fields === 0 ? null : { name: peer.name, fields, run: (index) => peer.parse(texts[index]!) };
  } catch {
    return null;
  }
}

let sink: unknown;

const cpuMs = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/**
 * Telegrams of one contender in a second of CPU time (garbage collection included), which is what a core would do
 * if nothing else ran on it.
 */
function rate({ run }: Contender, ms: number): number {
  const started = cpuMs();
  let done = 0;
  let elapsedMs = 0;
  while (elapsedMs < ms) {
    for (let index = 0; index < TELEGRAMS; index++) sink = run(index);
    done += TELEGRAMS;
    elapsedMs = cpuMs() - started;
  }
  return (done / elapsedMs) * 1000;
}

/** All contenders in turn, round after round: whatever else the machine does, it does to all of them. */
function measure(contenders: readonly Contender[], { rounds, roundMs }: { rounds: number; roundMs: number }) {
  for (const contender of contenders) rate(contender, roundMs);
  const rates = contenders.map((): number[] => []);
  for (let count = 0; count < rounds; count++)
    for (const [index, contender] of contenders.entries()) rates[index]!.push(rate(contender, roundMs));
  return contenders.map(({ name, fields }, index) => {
    const telegramsPerSecond = median(rates[index]!);
    return {
      name,
      fields,
      telegramsPerSecond: Math.round(telegramsPerSecond),
      microseconds: round(1e6 / telegramsPerSecond),
    };
  });
}

function measureDialect(dialect: P1Dialect, peers: readonly Peer[], size: typeof FULL | typeof QUICK) {
  const frames = Array.from({ length: TELEGRAMS }, (_, index) =>
    Buffer.from(encodeTelegramBytes(dialect, stateOf(index))),
  );
  const texts = frames.map((frame) => frame.toString('latin1'));
  const rivals = peers.flatMap((peer) => contenderOf(peer, texts) ?? []);
  const rows = measure([...ours(frames), ...rivals], size);
  const best = rows
    .slice(rows.length - rivals.length)
    .toSorted((one, other) => other.telegramsPerSecond - one.telegramsPerSecond)[0];
  return { dialect, bytes: frames[0]!.length, rows, best };
}

export const bench: Bench = {
  what: 'P1 telegrams a second of CPU time beside the parsers of npm: ours from a stream of bytes with its CRC checked, peers from a whole string.',

  async run({ quick }) {
    // One of the peers writes a line to the console for each that it does not know, and is measured without that.
    for (const method of ['debug', 'warn', 'error'] as const) console[method] = () => undefined;
    const { peers, absent } = await installPeers();
    const dialects = DIALECTS.map((dialect) => measureDialect(dialect, peers, quick ? QUICK : FULL));
    if (sink === undefined) throw new Error('nothing was parsed');
    return {
      ratios: dialects.map(({ dialect, rows, best }) => ({
        name: `${dialect}: telegrams a second to the best peer's`,
        value: best === undefined ? null : round(rows[0]!.telegramsPerSecond / best.telegramsPerSecond, 1),
        goal: GOAL,
      })),
      figures: dialects.flatMap(({ dialect, rows }) =>
        rows.map(({ name, telegramsPerSecond, fields }) => ({
          name: `${dialect}: ${name}`,
          value: telegramsPerSecond,
          unit: `telegrams/s, ${fields} fields`,
        })),
      ),
      absent: absent.map((name) => `${name} (npm could not install it here)`),
      notes: dialects.map(
        ({ dialect, bytes, best }) =>
          `${dialect}: ${bytes} bytes a telegram; the best peer is ${best === undefined ? 'absent' : `${best.name} with ${best.fields} fields`}.`,
      ),
      details: { dialects },
    };
  },
};
