import { createPrivateKey, X509Certificate } from 'node:crypto';
import { pkiError } from '../../pki/errors.ts';
import type { DeviceIdentity } from '../../pki/identity.ts';
import { type Recipient, recipientOf } from '../../pki/trust.ts';
import { type SignerKey, sealUplink } from '../../protocol/envelope.ts';
import { HesError, isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import { type DailyIndex, QUALITY } from '../../protocol/reading.ts';
import type { DayDraft } from './days/owner-days.ts';
import { LruMap } from './lru.ts';
import type { NewEntry } from './outbox/outbox.ts';

/** Seven tenants, each with a key that is being rolled over, and the same again. */
const RECIPIENTS_KEPT_MAX = 32;

/** A certificate that was good is looked at again after this time: it may have expired. */
const RECIPIENT_CHECK_MS = 3_600_000;

interface CheckedRecipient {
  readonly recipient: Recipient;
  readonly checkedAtMs: number;
}

/** Devices of one process seal to the same few keys; the check of one goes up to the root and costs a millisecond. */
const recipients = new LruMap<string, CheckedRecipient>(RECIPIENTS_KEPT_MAX);

export interface Sealer {
  readonly identity: DeviceIdentity;
  readonly signer: SignerKey;
  readonly nowMs: number;
  /** Whether keys of a development PKI may be used. */
  readonly development: boolean;
}

/**
 * The signing key is parsed when a day closes and let go of again: 10,000 of them would fill memory for nothing.
 * @throws ERR_TRUST_EXPIRED: what a certificate past its end signs is refused for good. It waits for another.
 */
export function sealerOf(identity: DeviceIdentity, nowMs: number, development: boolean): Sealer {
  const certificate = new X509Certificate(identity.sign.certificate);
  if (nowMs > certificate.validToDate.getTime())
    throw pkiError('ERR_TRUST_EXPIRED', 'the signature certificate of this device has expired');
  const signer = { privateKey: createPrivateKey(identity.sign.key), certificate: certificate.raw };
  return { identity, signer, nowMs, development };
}

/**
 * Number, encode, sign and seal one owner's day. A day that is too large for one message goes without its
 * quarter-hours, flagged: the registers must not wait for them. With `lean` it is sealed a second time without
 * them, under the same number: nobody but the owner could take them out later.
 * @throws ERR_EDGE_OWNER, ERR_PAYLOAD_SCHEMA, ERR_TRUST_*
 */
export function sealDay(sealer: Sealer, draft: DayDraft, sequence: number, lean = false): NewEntry {
  const { owner, day, capturedAt, clock, meters } = draft;
  const { device } = sealer.identity;
  const recipient = recipientFor(sealer, owner);
  const index: DailyIndex = {
    version: 1,
    tenant: owner,
    device,
    sequence,
    day: day.name,
    capturedAt,
    clock,
    meters,
  };
  const binding = { tenant: owner, device, kind: 'index' } as const;
  const seal = (payload: Uint8Array) => sealUplink({ payload, binding, recipient, signer: sealer.signer });
  const entry = { owner, day: day.ordinal, sequence, ...seal(encodeWithinLimits(index)) };
  const hasProfile = meters.some(({ profiles }) => profiles.length > 0);
  return lean && hasProfile ? { ...entry, lean: seal(encodeDailyIndex(withoutProfiles(index))) } : entry;
}

function encodeWithinLimits(index: DailyIndex): Uint8Array {
  try {
    return encodeDailyIndex(index);
  } catch (error) {
    if (!isHesError(error, 'ERR_PAYLOAD_CBOR')) throw error;
    return encodeDailyIndex(withoutProfiles(index));
  }
}

/** What a profile would have said is unknown then, and flagged like every gap. */
function withoutProfiles(index: DailyIndex): DailyIndex {
  const meters = index.meters.map((meter) => ({
    ...meter,
    profiles: [],
    flags: meter.flags | QUALITY.profileGap,
  }));
  return { ...index, meters };
}

export function recipientFor({ identity, nowMs, development }: Sealer, tenant: TenantId): Recipient {
  const owner = identity.owners[tenant];
  if (owner === undefined)
    throw new HesError('ERR_EDGE_OWNER', `the device holds no sealing certificate of ${tenant}`, {
      context: { tenant, device: identity.device },
    });
  const key = `${tenant}\n${identity.root}\n${owner.certificate}`;
  const check = (): CheckedRecipient => ({
    recipient: recipientOf(owner.certificate, { tenant, root: identity.root, atMs: nowMs, development }),
    checkedAtMs: nowMs,
  });
  const known = recipients.take(key, check);
  if (Math.abs(nowMs - known.checkedAtMs) < RECIPIENT_CHECK_MS) return known.recipient;
  recipients.delete(key);
  return recipients.take(key, check).recipient;
}
