/** What goes wrong on request, as it does in the field. */
export type ModbusFault =
  | { readonly kind: 'exception'; readonly code: number }
  /** No answer at all: meter off, wrong id, cut line. */
  | { readonly kind: 'silence' }
  /** Bytes that are no frame. */
  | { readonly kind: 'garbage'; readonly bytes: Uint8Array }
  /** The answer with a bit turned: RTU's checksum finds it. */
  | { readonly kind: 'crc' }
  /** The answer of another unit. */
  | { readonly kind: 'otherUnit' }
  /** Half an answer. */
  | { readonly kind: 'cut' }
  /** Fewer registers than asked for, in a frame that is right otherwise. */
  | { readonly kind: 'short' }
  /** The answer after so many milliseconds. */
  | { readonly kind: 'late'; readonly ms: number }
  /** The connection is closed in place of an answer. */
  | { readonly kind: 'hangUp' }
  /** Registers of two words the other way round: a meter with another word order than its profile. */
  | { readonly kind: 'swappedWords' };
