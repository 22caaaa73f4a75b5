/** How much of a stream is looked at: three of the longest frames of these protocols that meters push. */
const LOOKED_AT_BYTES_MAX = 2048;

interface Foreign {
  readonly text: string;
  readonly isAt: (bytes: Buffer, at: number) => boolean;
}

/** What other ports of meters speak, by how their frames begin. They are named, not read: this reads P1 text. */
const FOREIGN: readonly Foreign[] = [
  {
    text: 'DLMS in HDLC frames (7E A…), as Norwegian, Swiss and Slovenian ports push it',
    // IEC 62056-46 §6.4.3: flag, frame type 3 with its length, and the same flag behind so many bytes.
    isAt: (bytes, at) => {
      if (bytes[at] !== 0x7e || (bytes[at + 1]! & 0xf0) !== 0xa0) return false;
      const length = ((bytes[at + 1]! & 0x07) << 8) | bytes[at + 2]!;
      return length > 8 && bytes[at + 1 + length] === 0x7e;
    },
  },
  {
    text: 'DLMS in M-Bus frames (68 … 68), as Austrian ports push it',
    // EN 13757-2 §5.5.3: start, length, length again, start.
    isAt: (bytes, at) =>
      bytes[at] === 0x68 && bytes[at + 3] === 0x68 && bytes[at + 1] === bytes[at + 2] && bytes[at + 1]! > 3,
  },
  {
    text: 'SML (1B1B1B1B 01010101), as German ports push it',
    isAt: (bytes, at) =>
      bytes[at] === 0x1b &&
      bytes.readUIntBE(at, 4) === 0x1b1b1b1b &&
      bytes.readUIntBE(at + 4, 4) === 0x01010101,
  },
];
const LONGEST_BEGINNING_BYTES = 8;

/** Looks at the beginning of a stream for what is no P1 at all. */
export class ForeignWatch {
  #seen: Buffer = Buffer.alloc(0);

  feed(block: Uint8Array): void {
    if (this.#seen.length >= LOOKED_AT_BYTES_MAX) return;
    this.#seen = Buffer.concat([this.#seen, block.subarray(0, LOOKED_AT_BYTES_MAX - this.#seen.length)]);
  }

  /** What the port speaks, in words, or null where it is nothing that is known. */
  get name(): string | null {
    for (let at = 0; at + LONGEST_BEGINNING_BYTES <= this.#seen.length; at += 1)
      for (const { text, isAt } of FOREIGN) if (isAt(this.#seen, at)) return text;
    return null;
  }
}
