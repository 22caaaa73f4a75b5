import { isUtf8 } from 'node:buffer';
import { fits } from '../cbor/error.ts';
import type { Shape } from '../cbor/shape.ts';

/**
 * The characters of a text that people read before they sign: those that French, Dutch, German and English are
 * written with, listed. What is left out can deceive: control characters, marks of direction, letters of other
 * scripts that look like these, and second forms of the same letter.
 */
const LETTERS = ' -~¡-¬®-ÿŒœ–‘’“”„…€';
/** In UTF-8 each of them has so many bytes at most. */
const BYTES_PER_CHARACTER_MAX = 3;
const TEXT = 3;

/** As a regular expression without its anchors, for the API's schema. */
export const wordsPattern = (lengthMin: number, lengthMax: number): string =>
  `[${LETTERS}]{${lengthMin},${lengthMax}}`;

export function words(lengthMin: number, lengthMax: number): Shape<string> {
  const pattern = new RegExp(`^${wordsPattern(lengthMin, lengthMax)}$`);
  const expected = `a text of ${lengthMin} to ${lengthMax} characters, of Latin letters, signs and digits`;
  return {
    write(writer, value) {
      fits(typeof value === 'string' && pattern.test(value), expected);
      writer.utf8(value);
    },
    read(reader) {
      const { major, argument } = reader.anyHead();
      fits(major === TEXT && argument <= lengthMax * BYTES_PER_CHARACTER_MAX, expected);
      const content = reader.content(argument);
      fits(isUtf8(content), expected);
      const value = content.toString('utf8');
      fits(pattern.test(value), expected);
      return value;
    },
  };
}
