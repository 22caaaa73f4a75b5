import type { DeviceIdentity } from '../../pki/identity.ts';
import { type OfficeTrust, officeTrustOf } from '../../pki/trust.ts';
import type { Clock } from '../runtime/clock.ts';
import { LruMap } from './lru.ts';

/** Seven tenants with their guests, and the same again while an office is being replaced. */
const OFFICES_KEPT_MAX = 32;

type Trust = Pick<OfficeTrust, 'signer'>;

/** By the clock that they are judged by; devices of one process believe the same few offices. */
const offices = new WeakMap<Clock, LruMap<string, Trust>>();

/** Whose commands a device may believe. Without an office in its identity it believes nobody. */
export function officeTrust(
  { office, revokedPeople }: Pick<DeviceIdentity, 'office' | 'revokedPeople'>,
  development: boolean,
  clock: Clock,
): Trust {
  if (office === undefined) return officeTrustOf({}, { development, clock });
  const kept = offices.get(clock) ?? new LruMap<string, Trust>(OFFICES_KEPT_MAX);
  offices.set(clock, kept);
  const key = JSON.stringify([development, office.root, office.issuers, revokedPeople]);
  const known = { office, ...(revokedPeople === undefined ? {} : { revokedPeople }) };
  return kept.take(key, () => officeTrustOf(known, { development, clock }));
}
