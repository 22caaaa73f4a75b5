import { DIALECTS, type P1Dialect } from './dialects.ts';
import type { P1MeterState } from './state.ts';
import { TelegramWriter } from './writer.ts';

export type { P1Dialect } from './dialects.ts';
export type * from './state.ts';

const writer = new TelegramWriter();

/**
 * The telegram of a meter in a dialect, closed as the dialect closes one. Of an encrypted dialect it is what is
 * inside; `sealed.ts` makes the frames. The bytes are shared and valid until the next call: what hands them to a
 * parser or a socket at once needs no copy.
 */
export function encodeTelegramBytes(dialect: P1Dialect, state: P1MeterState): Buffer {
  const { begins, lines, ends } = DIALECTS[dialect];
  writer.begin(state.header, begins);
  for (const line of lines) line(writer, state);
  return writer.end(ends);
}

/** The same as text, one character a byte. */
export function encodeTelegram(dialect: P1Dialect, state: P1MeterState): string {
  return encodeTelegramBytes(dialect, state).toString('latin1');
}
