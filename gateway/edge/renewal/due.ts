import { createHash } from 'node:crypto';
import { certificatePeriod, type DeviceKeyName } from '../../../pki/device.ts';
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
 * When the certificate of this key is to be renewed, in ms since 1970. The draw is made of the certificate itself:
 * another for each device and key, and after each restart the same.
 */
export function renewAtMs(identity: DeviceIdentity, name: DeviceKeyName): number {
  const { certificate } = identity[name];
  const { notBeforeMs, notAfterMs } = certificatePeriod(certificate);
  const draw = createHash('sha256').update(certificate).digest().readUInt32BE(0) / 2 ** 32;
  return Math.round(notBeforeMs + (notAfterMs - notBeforeMs) * (DUE_FROM + SPREAD * draw));
}

/** A clock that was never set says nothing about an end. */
export const isDue = (atMs: number, nowMs: number): boolean =>
  nowMs >= CLOCK_EARLIEST * 1_000 && nowMs >= atMs;
