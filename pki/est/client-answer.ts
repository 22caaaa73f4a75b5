import type { HesError } from '../../protocol/errors.ts';
import { type PkiErrorCode, pkiError } from '../errors.ts';
import { readCertsOnly } from './cms.ts';

/** What an EST server answered, read as what anybody may have said. */

/** Asked to come back later: never sooner than this, and no further away than a day, whatever a server says. */
const LATER_SECONDS_MIN = 5;
const LATER_SECONDS_MAX = 86_400;
const LATER_SECONDS = 60;
/** Of a server's own words so much is passed on. */
const WORDS_MAX = 160;

/** RFC 7030 §4.1.3, §4.2.3 with RFC 8951 §3: base64 of a certs-only message. @throws ERR_EST_ANSWER */
export function certificatesIn(text: string): Uint8Array[] {
  const bytes = bytesIn(text);
  try {
    return readCertsOnly(bytes);
  } catch (cause) {
    throw pkiError('ERR_EST_ANSWER', 'the EST server answered with no list of certificates', { cause });
  }
}

/** @throws ERR_EST_ANSWER */
export const noticeIn = (text: string): Uint8Array => bytesIn(text);

function bytesIn(text: string): Uint8Array {
  const base64 = text.replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64))
    throw pkiError('ERR_EST_ANSWER', 'the EST server answered with no base64');
  return Buffer.from(base64, 'base64');
}

const LATER: ReadonlySet<number> = new Set([202, 429, 503]);
const REFUSED: ReadonlySet<number> = new Set([400, 401, 403, 404, 405]);

/** Anything but 200. Which error the server named is in `context.refusal`. */
export function refusalOf(
  status: number,
  text: string,
  retryAfter: string | undefined,
): HesError<PkiErrorCode> {
  const words = text
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, WORDS_MAX);
  if (LATER.has(status)) {
    const seconds = laterSeconds(retryAfter);
    return pkiError('ERR_EST_LATER', `the EST server asks to come back in ${seconds} s (${status})`, {
      context: { status, seconds },
    });
  }
  if (!REFUSED.has(status))
    return pkiError('ERR_EST_ANSWER', `the EST server answered ${status}`, { context: { status } });
  const [, refusal] = /^([A-Z]+(?:_[A-Z0-9]+)+): /.exec(words) ?? [];
  return pkiError('ERR_EST_REFUSED', `the EST server refused (${status}): ${words}`, {
    context: { status, ...(refusal === undefined ? {} : { refusal }) },
  });
}

/** RFC 9110 §10.2.3; the form with a date depends on two clocks, and is not read. */
function laterSeconds(text: string | undefined): number {
  const seconds = text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : LATER_SECONDS;
  return Math.min(Math.max(seconds, LATER_SECONDS_MIN), LATER_SECONDS_MAX);
}
