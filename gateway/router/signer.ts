import { isHesError } from '../../protocol/errors.ts';
import type { RefusalCode } from '../../protocol/receipt.ts';

/**
 * What the device is told when its signature is not believed. Most of it will not change by sending again; what
 * lies with the operator (a revocation list that is overdue, a clock) will: then it is told `later`.
 */
const REFUSALS_OF_ERRORS: Readonly<Record<string, RefusalCode | 'later'>> = {
  ERR_ENVELOPE_SIGNED: 'signature',
  ERR_ENVELOPE_SIGNATURE: 'signature',
  ERR_TRUST_MALFORMED: 'signature',
  ERR_TRUST_SIGNATURE: 'signature',
  ERR_TRUST_PROFILE: 'signature',
  ERR_TRUST_EXPIRED: 'signature',
  ERR_TRUST_ISSUER: 'identity',
  ERR_TRUST_IDENTITY: 'identity',
  ERR_TRUST_SERIAL: 'identity',
  ERR_TRUST_TENANT: 'identity',
  ERR_TRUST_DEVICE: 'identity',
  ERR_TRUST_REVOKED: 'revoked',
  ERR_TRUST_NOT_YET_VALID: 'later',
  ERR_TRUST_CRL_STALE: 'later',
};

/** @throws the error itself where it is none of envelope or trust: then the fault is ours */
export function refusalOfSigner(error: unknown): RefusalCode | 'later' {
  const refusal = isHesError(error) ? REFUSALS_OF_ERRORS[error.code] : undefined;
  if (refusal === undefined) throw error;
  return refusal;
}
