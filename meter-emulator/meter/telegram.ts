import type { P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { sealGlo } from '../../gateway/edge/p1/glo-seal.ts';
import { encodeTelegramBytes, type P1Dialect, type P1MeterState } from '../p1/encode.ts';

/** Makes the bytes of a telegram of a meter; `spoil` is let at its text before it is encrypted. */
export type TelegramMaker = (state: P1MeterState, spoil?: (plain: Buffer) => Buffer) => Buffer;

/** Eight bytes: three letters of the maker and what tells the meter (DLMS UA 1000-2 §4.3.4). */
function titleOf(seed: number): Buffer {
  const title = Buffer.from('EMU\0\0\0\0\0', 'latin1');
  title.writeUInt32BE(seed >>> 0, 4);
  return title;
}

export function telegramMaker(dialect: P1Dialect, keys: P1Keys | null, seed: number): TelegramMaker {
  const plainOf: TelegramMaker = (state, spoil = (plain) => plain) =>
    // The encoder's bytes are its own until the next telegram.
    spoil(Buffer.from(encodeTelegramBytes(dialect, state)));
  if (keys === null) return plainOf;
  const title = titleOf(seed);
  // A counter must never come back under a key, across starts neither: seconds outrun a telegram a second.
  let counter = Math.floor(Date.now() / 1_000);
  return (state, spoil) => sealGlo(plainOf(state, spoil), { keys, title, counter: counter++ });
}
