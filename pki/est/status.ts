import { isHesError } from '../../protocol/errors.ts';
import type { PkiErrorCode } from '../errors.ts';

/** RFC 7030 §4.2.3 leaves the status to HTTP: 401 says "show who you are", 403 "known, and no", 400 "not so". */
const STATUSES: Readonly<Partial<Record<PkiErrorCode, number>>> = {
  ERR_EST_CLIENT: 401,
  ERR_CA_CODE: 401,
  ERR_TRUST_MALFORMED: 401,
  ERR_CA_DEVICE: 403,
  ERR_CA_CERTIFICATE: 403,
  ERR_EST_ENROLLED: 403,
  ERR_CA_KEY: 400,
  ERR_ENROL_KEY: 400,
  ERR_ENROL_REQUEST: 400,
  ERR_EST_REQUEST: 400,
  ERR_EST_NOTICE: 404,
  ERR_EST_RATE: 429,
  ERR_CA_REGISTER: 503,
  ERR_EST_REPLACED: 503,
};

/** What is not in the table is our own fault, and nobody outside is told what. */
export function answerOf(error: unknown): { readonly status: number; readonly text: string } {
  const code = isHesError(error) ? error.code : '';
  // A token that is away comes back, and whoever asked comes again.
  if (code.startsWith('ERR_HSM_')) return { status: 503, text: 'the request cannot be served now\n' };
  const status = STATUSES[code as PkiErrorCode] ?? 500;
  if (!isHesError(error) || status === 500) return { status, text: 'the request failed here\n' };
  return { status, text: `${error.code}: ${error.message}\n` };
}
