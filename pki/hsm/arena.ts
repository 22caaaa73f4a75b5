import { hsmError } from './errors.ts';

/**
 * The memory that a module reads and writes. One block, whose address never changes (a small array of JavaScript's may
 * be moved under a pointer to it), laid out anew for each operation and wiped after it: PINs and secrets pass here.
 */

/** The largest operation is the list of slots: 64 of 8 octets. The rest is for templates of a few attributes. */
const ARENA_BYTES = 16_384;
/** `CK_ULONG` and pointers, on every 64-bit system but Windows, which is refused (module.ts). */
export const WORD_BYTES = 8;
const NO_POINTER = 0n;

export type Attribute = readonly [type: number, value: Uint8Array | bigint | boolean];

export class Arena {
  readonly #bytes = new Uint8Array(new ArrayBuffer(ARENA_BYTES));
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #base: bigint;
  #used = 0;

  constructor(addressOf: (memory: ArrayBuffer) => bigint) {
    this.#base = addressOf(this.#bytes.buffer);
  }

  /** Zeroed room, aligned. @returns its address */
  room(length: number): bigint {
    const at = this.#used;
    this.#used = at + Math.ceil(length / WORD_BYTES) * WORD_BYTES;
    if (length < 0 || this.#used > ARENA_BYTES)
      throw hsmError('ERR_HSM_FAILED', 'an operation is larger than the memory for it', {
        context: { length },
      });
    return this.#base + BigInt(at);
  }

  put(value: Uint8Array): bigint {
    const pointer = this.room(value.length);
    this.#bytes.set(value, this.#at(pointer, value.length));
    return pointer;
  }

  words(...values: readonly bigint[]): bigint {
    const pointer = this.room(values.length * WORD_BYTES);
    values.forEach((value, at) => {
      this.#view.setBigUint64(this.#at(pointer, WORD_BYTES) + at * WORD_BYTES, value, true);
    });
    return pointer;
  }

  word(pointer: bigint): bigint {
    return this.#view.getBigUint64(this.#at(pointer, WORD_BYTES), true);
  }

  /** A copy. The length may be what a module said: it is held against the block. */
  read(pointer: bigint, length: number): Uint8Array<ArrayBuffer> {
    const at = this.#at(pointer, length);
    return this.#bytes.slice(at, at + length);
  }

  /** CK_MECHANISM. */
  mechanism(type: number, parameter?: { readonly pointer: bigint; readonly length: number }): bigint {
    return this.words(BigInt(type), parameter?.pointer ?? NO_POINTER, BigInt(parameter?.length ?? 0));
  }

  /** An array of CK_ATTRIBUTE. */
  template(attributes: readonly Attribute[]): { readonly pointer: bigint; readonly count: bigint } {
    const rows = attributes.flatMap(([type, value]) => {
      const [pointer, length] = this.#value(value);
      return [BigInt(type), pointer, BigInt(length)];
    });
    return { pointer: this.words(...rows), count: BigInt(attributes.length) };
  }

  /** Forget everything. */
  wipe(): void {
    this.#bytes.fill(0, 0, this.#used);
    this.#used = 0;
  }

  #value(value: Attribute[1]): [pointer: bigint, length: number] {
    if (typeof value === 'bigint') return [this.words(value), WORD_BYTES];
    if (typeof value === 'boolean') return [this.put(Uint8Array.of(value ? 1 : 0)), 1];
    return [this.put(value), value.length];
  }

  #at(pointer: bigint, length: number): number {
    const at = Number(pointer - this.#base);
    if (!(at >= 0 && length >= 0 && at + length <= this.#used))
      throw hsmError('ERR_HSM_FAILED', 'the module names memory that is not its own');
    return at;
  }
}
