import type { P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { sealGlo } from '../../gateway/edge/p1/glo-seal.ts';
import { HesError } from '../../protocol/errors.ts';
import { encodeTelegramBytes, type P1Dialect, type P1MeterState } from './encode.ts';

export interface SealedPortOptions {
  readonly keys: P1Keys;
  /** Eight bytes: three letters of the maker and what tells the meter (DLMS UA 1000-2 §4.3.4). */
  readonly title: Uint8Array;
  /** The counter of its first frame: above every one that the meter sent under these keys before. */
  readonly firstCounter?: number;
}

/** IEC 62056-5-3 §5.3.3: 32 bits; a meter whose counter is used up needs a new key. */
const COUNTER_MAX = 0xffff_ffff;

/**
 * The port of a meter that encrypts. Its frame counter rises with every telegram: the same counter twice under one
 * key would be the same key stream twice, and whoever has both frames has the difference of their texts.
 */
export class SealedPort {
  readonly #keys: P1Keys;
  readonly #title: Uint8Array;
  #counter: number;

  constructor({ keys, title, firstCounter = 1 }: SealedPortOptions) {
    this.#keys = keys;
    this.#title = title;
    this.#counter = firstCounter;
  }

  /** The counter of the next frame. */
  get counter(): number {
    return this.#counter;
  }

  encode(dialect: P1Dialect, state: P1MeterState): Buffer {
    return this.seal(encodeTelegramBytes(dialect, state));
  }

  /** @throws ERR_EMULATOR_P1_COUNTER when all counters are used up */
  seal(plaintext: Uint8Array): Buffer {
    if (this.#counter > COUNTER_MAX)
      throw new HesError('ERR_EMULATOR_P1_COUNTER', 'the frame counter of an emulated P1 port is used up');
    const frame = sealGlo(plaintext, { keys: this.#keys, title: this.#title, counter: this.#counter });
    this.#counter += 1;
    return frame;
  }
}
