import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys } from '../../edge/p1/glo-keys.ts';
import type { P1ReaderOptions } from '../../edge/p1/reader.ts';
import { usage } from '../errors.ts';

/** How telegrams are to be opened: flags that `decode` and `watch` share. */
export interface ReadingFlags {
  readonly json?: boolean;
  readonly key?: Uint8Array;
  readonly authKey?: Uint8Array;
  readonly acceptUnverified?: boolean;
}

/** What a telegram that yields nothing looks like: no value of it is worth a look, so none is shown. */
export const REFUSED_JSON = `${JSON.stringify({ crc: 'invalid' })}\n`;

const UNVERIFIED_WARNING =
  'hes: WARNING: --accept-unverified shows telegrams whose origin nothing proves. Do not bill, switch or decide by them.\n';

/**
 * The flags as the reader takes them, said loudly where they lower its guard.
 *
 * @throws ERR_USAGE
 */
export function readingOf(flags: ReadingFlags): P1ReaderOptions {
  const acceptUnverified = flags.acceptUnverified === true;
  const keys = keysOf(flags, acceptUnverified);
  if (acceptUnverified) process.stderr.write(UNVERIFIED_WARNING);
  return { keys, acceptUnverified };
}

function keysOf({ key, authKey }: ReadingFlags, acceptUnverified: boolean): P1Keys | null {
  if (key !== undefined)
    return {
      encryption: key,
      authentication: authKey ?? AUTHENTICATION_KEY_LUXEMBOURG,
      authenticationUnknown: authKey === undefined,
    };
  if (authKey !== undefined) throw usage('--auth-key is of no use without --key');
  if (acceptUnverified) throw usage('--accept-unverified is of no use without --key');
  return null;
}
