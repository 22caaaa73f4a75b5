import type { P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { HesError } from '../../protocol/errors.ts';
import { DIALECT_PORTS } from '../p1/dialects.ts';
import { encodeTelegramBytes, type P1Dialect, type P1MeterState } from '../p1/encode.ts';
import { SealedPort } from '../p1/sealed.ts';
import type { EmulatedMeterErrorCode } from './errors.ts';

/** Makes the bytes of a telegram of a meter; `spoil` is let at its text before it is encrypted. */
export type TelegramMaker = (state: P1MeterState, spoil?: (plain: Buffer) => Buffer) => Buffer;

/** Eight bytes: three letters of the maker and what tells the meter (DLMS UA 1000-2 §4.3.4). */
function titleOf(seed: number): Buffer {
  const title = Buffer.from('EMU\0\0\0\0\0', 'latin1');
  title.writeUInt32BE(seed >>> 0, 4);
  return title;
}

/** @throws ERR_EMULATED_METER_KEYS */
export function telegramMaker(dialect: P1Dialect, keys: P1Keys | null, seed: number): TelegramMaker {
  const plainOf: TelegramMaker = (state, spoil = (plain) => plain) =>
    // The encoder's bytes are its own until the next telegram.
    spoil(Buffer.from(encodeTelegramBytes(dialect, state)));
  if (keys === null) {
    if (!DIALECT_PORTS[dialect].encrypted) return plainOf;
    throw new HesError(
      'ERR_EMULATED_METER_KEYS' satisfies EmulatedMeterErrorCode,
      `${dialect} is encrypted, and no key was given`,
    );
  }
  // A counter must never come back under a key, across starts neither: seconds outrun a telegram a second.
  const port = new SealedPort({ keys, title: titleOf(seed), firstCounter: Math.floor(Date.now() / 1_000) });
  return (state, spoil) => port.seal(plainOf(state, spoil));
}
