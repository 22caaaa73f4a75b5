import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceAgreement } from '../context.ts';
import type { Meter } from './meter.ts';

/** Which of two key-agreement certificates of one device commands are sealed to. */

/**
 * Whether the meter's own certificate stands against one that begins at `notBeforeMs`: it is newer, and still
 * trusted. One that has expired, was revoked or never was trusted stands against none.
 */
export function isSuperseding(
  { certificate, device }: Pick<Meter, 'certificate' | 'device'>,
  notBeforeMs: number,
  agreement: DeviceAgreement,
): boolean {
  if (certificate === null) return false;
  try {
    return agreement(certificate, device).notBeforeMs > notBeforeMs;
  } catch (error) {
    if (!isHesError(error)) throw error;
    return false;
  }
}
