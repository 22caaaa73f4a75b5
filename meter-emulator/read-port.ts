import { P1Reader } from '../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../gateway/edge/p1/telegram.ts';
import type { Snapshot } from '../gateway/edge/source.ts';
import { HesError } from '../protocol/errors.ts';
import type { Timestamp } from '../protocol/reading.ts';
import type { EmulatorErrorCode } from './errors.ts';

let latest: P1Telegram | null = null;
/** One for the process: each telegram is fed whole, so nothing of one meter is left when the next one's comes. */
const reader = new P1Reader({
  telegram: (telegram) => {
    latest = telegram;
  },
});

/**
 * A telegram's bytes go through the very reader that a serial port's bytes go through.
 * @throws ERR_FLEET_TELEGRAM
 */
export function readPort(telegram: Uint8Array, at: Timestamp): Snapshot {
  latest = null;
  reader.feed(telegram);
  const read = latest as P1Telegram | null;
  if (read === null)
    throw new HesError(
      'ERR_FLEET_TELEGRAM' satisfies EmulatorErrorCode,
      'an emulated telegram was not understood',
    );
  return telegramSnapshot(read, at);
}
