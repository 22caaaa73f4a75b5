import { open } from 'node:fs/promises';
import { dayAt, type LocalDay, offsetMinutesAt } from '../../gateway/edge/days/calendar.ts';
import { P1Reader } from '../../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { P1Fault, P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import type { Snapshot } from '../../gateway/edge/source.ts';
import { HesError } from '../../protocol/errors.ts';
import type { EmulatorErrorCode } from '../errors.ts';
import type { RecordedFile } from './files.ts';

/** A recording is read in blocks of this size, however large it is. */
const BLOCK_BYTES = 256 * 1024;

/** A recording that is not in the order of time is sorted in memory, up to so many telegrams (4 KiB each). */
export const SORTED_TELEGRAMS_MAX = 25_000;

/** No smart meter with a P1 port was installed before this year. */
const PLAUSIBLE_FROM_SECONDS = Date.UTC(2005, 0, 1) / 1_000;
/** A meter's clock may run ahead of the edge's; by more than a day it is wrong. */
const AHEAD_SECONDS_MAX = 86_400;

/** What a file of recorded telegrams holds. */
export interface Recording {
  readonly file: RecordedFile;
  /** Valid, and with a reading. */
  readonly telegrams: number;
  readonly faults: Readonly<Partial<Record<P1Fault, number>>>;
  /** The local days that its telegrams are of, oldest first. */
  readonly days: readonly LocalDay[];
  readonly inOrder: boolean;
  /** The edge's clock when the recording was looked through: no meter is believed that is far ahead of it. */
  readonly nowSeconds: number;
  /** What stands for the edge's clock until the first telegram with a plausible time. */
  readonly firstSeconds: number;
}

/**
 * Look through a recording: which days it has, how many telegrams, and what is wrong with those that are none.
 * @throws ERR_TELEGRAMS_PATH
 */
export async function scanRecording(file: RecordedFile, nowMs: number): Promise<Recording> {
  const nowSeconds = Math.floor(nowMs / 1_000);
  const days = new Map<number, LocalDay>();
  let first: number | undefined;
  let latest = Number.NEGATIVE_INFINITY;
  let inOrder = true;
  let telegrams = 0;
  const reader = new P1Reader({
    telegram: (telegram) => {
      if (!hasReading(telegram)) return;
      telegrams++;
      const seconds = plausibleSeconds(telegram, nowSeconds);
      if (seconds === null) return;
      first ??= seconds;
      inOrder &&= seconds >= latest;
      latest = Math.max(latest, seconds);
      const day = dayAt(seconds);
      days.set(day.ordinal, day);
    },
  });
  for await (const block of blocksOf(file)) reader.feed(block);
  reader.flush();
  const firstSeconds = first ?? nowSeconds;
  if (telegrams > 0 && first === undefined) days.set(dayAt(nowSeconds).ordinal, dayAt(nowSeconds));
  return {
    file,
    telegrams,
    faults: { ...reader.faults },
    days: [...days.values()].toSorted((one, other) => one.ordinal - other.ordinal),
    inOrder,
    nowSeconds,
    firstSeconds,
  };
}

export interface ReplaySink {
  snapshot(snapshot: Snapshot): void;
  /** The telegrams of a day have all been handed out. */
  ended(day: LocalDay): Promise<void>;
}

/**
 * Hand out the snapshots of some days of a recording in the order of time.
 *
 * The edge's clock is the meter's where that is plausible. A telegram without a plausible time is taken to be of the
 * moment of the one before it; that its clock was wrong is flagged by the edge as with any meter.
 * @throws ERR_TELEGRAMS_PATH, ERR_TELEGRAMS_FILE
 */
export async function replay(
  recording: Recording,
  days: readonly LocalDay[],
  sink: ReplaySink,
): Promise<void> {
  const wanted = new Set(days.map(({ ordinal }) => ordinal));
  let running: LocalDay | undefined;
  for await (const [telegram, seconds] of recording.inOrder
    ? inFileOrder(recording)
    : inTimeOrder(recording)) {
    const day = dayAt(seconds);
    if (running !== undefined && running.ordinal !== day.ordinal) await sink.ended(running);
    running = wanted.has(day.ordinal) ? day : undefined;
    if (running === undefined) continue;
    sink.snapshot(
      telegramSnapshot(telegram, { epochSeconds: seconds, offsetMinutes: offsetMinutesAt(seconds) }),
    );
  }
  if (running !== undefined) await sink.ended(running);
}

type Dated = readonly [telegram: P1Telegram, seconds: number];

async function* inFileOrder(recording: Recording): AsyncGenerator<Dated> {
  let seconds = recording.firstSeconds;
  let batch: Dated[] = [];
  const reader = new P1Reader({
    telegram: (telegram) => {
      if (!hasReading(telegram)) return;
      seconds = plausibleSeconds(telegram, recording.nowSeconds) ?? seconds;
      batch.push([telegram, seconds]);
    },
  });
  for await (const block of blocksOf(recording.file)) {
    reader.feed(block);
    yield* batch;
    batch = [];
  }
  reader.flush();
  yield* batch;
}

async function* inTimeOrder(recording: Recording): AsyncGenerator<Dated> {
  if (recording.telegrams > SORTED_TELEGRAMS_MAX)
    throw new HesError(
      'ERR_TELEGRAMS_FILE' satisfies EmulatorErrorCode,
      `${recording.file.name} is not in the order of time and has more than ${SORTED_TELEGRAMS_MAX} telegrams: sort or split it`,
      { context: { telegrams: recording.telegrams } },
    );
  const all: Dated[] = [];
  for await (const dated of inFileOrder(recording)) all.push(dated);
  // A stable sort: of telegrams with one time the later one in the file stays the later one.
  yield* all.sort(([, one], [, other]) => one - other);
}

/** A telegram without any register, such as that of a meter which is not yet set up, closes no day. */
function hasReading(telegram: P1Telegram): boolean {
  return telegram.registers.length > 0 || telegram.channels.some(({ readings }) => readings.length > 0);
}

function plausibleSeconds({ meterTime }: P1Telegram, nowSeconds: number): number | null {
  if (meterTime === null) return null;
  const { epochSeconds } = meterTime;
  const plausible = epochSeconds >= PLAUSIBLE_FROM_SECONDS && epochSeconds <= nowSeconds + AHEAD_SECONDS_MAX;
  return plausible ? epochSeconds : null;
}

async function* blocksOf(file: RecordedFile): AsyncGenerator<Uint8Array> {
  const block = Buffer.alloc(BLOCK_BYTES);
  try {
    const handle = await open(file.path, 'r');
    try {
      for (;;) {
        const { bytesRead } = await handle.read(block, 0, BLOCK_BYTES);
        if (bytesRead === 0) return;
        yield block.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof HesError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new HesError(
      'ERR_TELEGRAMS_PATH' satisfies EmulatorErrorCode,
      `${file.name} cannot be read (${reason})`,
      { cause },
    );
  }
}
