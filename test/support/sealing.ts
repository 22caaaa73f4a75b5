import { createPrivateKey } from 'node:crypto';
import { utcDayStart } from '../../gateway/router/day.ts';
import type { DeviceIdentity, KeyAndCertificate } from '../../pki/trust.ts';
import { derOf } from '../../pki/x509/pem.ts';
import { type Binding, type RecipientKey, type SignerKey, sealUplink } from '../../protocol/envelope.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { encodeDailyIndex } from '../../protocol/payload.ts';
import type { DailyIndex, ObisCode } from '../../protocol/reading.ts';
import type { Field } from './field.ts';

const DAY_MS = 86_400_000;

/** A small whole index of the day before yesterday (by the real clock), with nothing in it that a rule could mind. */
export function dailyIndex(
  tenant: TenantId,
  device: DeviceIdentity['device'],
  sequence: number,
  changes: Partial<DailyIndex> = {},
): DailyIndex {
  const day = new Date(Date.now() - 2 * DAY_MS).toISOString().slice(0, 10);
  return {
    version: 1,
    tenant,
    device,
    sequence,
    day,
    // Midnight of a Belgian day is at most two hours before its UTC namesake's.
    capturedAt: { epochSeconds: utcDayStart(day) + DAY_MS / 1_000 - 3_600, offsetMinutes: 60 },
    clock: 'synchronised',
    meters: [
      {
        medium: 'electricity',
        channel: 0,
        serial: '1SAG1100000292',
        ean: '541448820000000016',
        flags: 0,
        registers: [
          {
            obis: '1-0:1.8.1' as ObisCode,
            value: 1_000_000 + sequence,
            scaler: 0,
            unit: 'Wh',
            time: null,
            flags: 0,
          },
        ],
        profiles: [],
        peaks: [],
        extremes: [],
      },
    ],
    ...changes,
  };
}

/** What to say or do otherwise than an honest device. */
export interface Crooked {
  /** Members of the payload. */
  readonly index?: Partial<DailyIndex>;
  /** Where the envelope says that it belongs. */
  readonly binding?: Partial<Binding>;
  /** Whose key it is sealed to. */
  readonly recipient?: RecipientKey;
  /** Whose signature it bears. */
  readonly signer?: KeyAndCertificate;
}

export interface SealedMessage {
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
  readonly binding: Binding;
  readonly sequence: number;
  /** The idempotency key that its record has at the MDM. */
  readonly key: string;
}

/** Seal an index of a device for one of its owners, honestly or with one thing wrong. */
export function sealIndex(
  field: Field,
  identity: DeviceIdentity,
  owner: TenantId,
  sequence: number,
  crooked: Crooked = {},
): SealedMessage {
  const { device } = identity;
  const binding: Binding = { tenant: owner, device, kind: 'index', ...crooked.binding };
  const { sealed, receiptKey } = sealUplink({
    payload: encodeDailyIndex(dailyIndex(owner, device, sequence, crooked.index)),
    binding,
    recipient: crooked.recipient ?? field.recipient(owner),
    signer: signerOf(crooked.signer ?? identity.sign),
  });
  return { sealed, receiptKey, binding, sequence, key: `${device}/${owner}/${sequence}` };
}

export function signerOf({ key, certificate }: KeyAndCertificate): SignerKey {
  return { privateKey: createPrivateKey(key), certificate: derOf('CERTIFICATE', certificate) };
}
