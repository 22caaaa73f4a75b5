import { createHash } from 'node:crypto';
import { certificatePeriod, type DeviceKeyName, succeededAtMs } from '../../../pki/device.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { CLOCK_EARLIEST } from '../days/clock-guard.ts';

/**
 * From two thirds of a certificate's life on, spread over the next twelfth: of five years, three years and four months
 * and then up to five months more. A fleet that was enrolled in one week comes back over as many months as that, and
 * a quarter of the life is left for whatever keeps a device from being served.
 */
const DUE_FROM = 2 / 3;
const SPREAD = 1 / 12;

/**
 * Where the home has another issuing CA: from half of this part of the life on, spread over the other half. Of five
 * years 30 days, since the CA before is kept for some months and no longer.
 */
const SUCCEEDED_WITHIN = 1 / 60;

/**
 * When the certificate of this key is to be renewed, in ms since 1970. The draw is made of the certificate itself:
 * another for each device and key, and after each restart the same.
 */
export function renewAtMs(identity: DeviceIdentity, name: DeviceKeyName): number {
  const { certificate } = identity[name];
  const { notBeforeMs, notAfterMs } = certificatePeriod(certificate);
  const draw = createHash('sha256').update(certificate).digest().readUInt32BE(0) / 2 ** 32;
  const lifeMs = notAfterMs - notBeforeMs;
  const byAge = notBeforeMs + lifeMs * (DUE_FROM + SPREAD * draw);
  const succeeded = succeededAtMs(identity, certificate);
  const bySuccession = succeeded === null ? byAge : succeeded + (lifeMs * SUCCEEDED_WITHIN * (1 + draw)) / 2;
  return Math.round(Math.min(byAge, bySuccession));
}

/** A clock that was never set says nothing about an end. */
export const isDue = (atMs: number, nowMs: number): boolean =>
  nowMs >= CLOCK_EARLIEST * 1_000 && nowMs >= atMs;
