import { HesError } from '../../../protocol/errors.ts';

/** The keys of a P1 port, as the operator tells them to the customer. */
export interface P1Keys {
  /** Global unicast encryption key. */
  readonly encryption: Uint8Array;
  /** Global authentication key: goes into the additional data, not into the cipher. */
  readonly authentication: Uint8Array;
  /**
   * Nobody told the authentication key: a tag that is right without any additional data is taken as well, as some
   * bridges re-encrypt. It still proves that whoever made the frame has the encryption key.
   */
  readonly authenticationUnknown?: boolean;
}

export const P1_KEY_BYTES = 16;
const KEY_PATTERN = /^[0-9A-Fa-f]{32}$/;

/** Luxembourg P1 1.1.3 §3.2.5 prints it: one for the whole country. In Austria every meter has its own. */
export const AUTHENTICATION_KEY_LUXEMBOURG: Uint8Array = Buffer.from(
  '00112233445566778899AABBCCDDEEFF',
  'hex',
);

/**
 * Read a key from hex, blanks and line ends left out: letters print it in groups.
 *
 * @throws ERR_P1_KEY without any of the key in it
 */
export function parseP1Key(text: string, what: 'encryption' | 'authentication'): Uint8Array {
  const digits = text.replaceAll(/\s/g, '');
  if (!KEY_PATTERN.test(digits))
    throw new HesError('ERR_P1_KEY', `the ${what} key of a P1 port is 32 hex digits`, {
      context: { digits: digits.length },
    });
  return Buffer.from(digits, 'hex');
}
