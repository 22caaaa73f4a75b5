import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { pointOfKey } from '../cose/p256.ts';
import type { RecipientKey, SealingKey, SignerKey } from '../envelope.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { parseObisCode } from '../obis.ts';
import type { DailyIndex, MeterReading, ObisCode } from '../reading.ts';

/** Examples for tests and benchmarks: invented meters, keys that nobody uses. */

export const SAMPLE_TENANT = 'ores' as TenantId;
export const SAMPLE_DEVICE = '0123456789abcdef' as DeviceId;

const obis = (text: string): ObisCode => parseObisCode(text);

/** 2026-03-28 23:00 UTC: local midnight that ends 28 March and begins the 23-hour day. */
const MIDNIGHT = 1_774_738_800;
const at = { epochSeconds: MIDNIGHT, offsetMinutes: 60 } as const;

export const SAMPLE_ELECTRICITY: MeterReading = {
  medium: 'electricity',
  channel: 0,
  serial: '1SAG1105075799',
  ean: '541448820000000009',
  flags: 0,
  registers: ['1-0:1.8.1', '1-0:1.8.2', '1-0:2.8.1', '1-0:2.8.2'].map((code, index) => ({
    obis: obis(code),
    value: 12_345_678 + index * 1_000_003,
    scaler: 0,
    unit: 'Wh',
    flags: 0,
    time: null,
  })),
  profiles: ['1-0:1.8.0', '1-0:2.8.0'].map((code, index) => ({
    obis: obis(code),
    scaler: 0,
    unit: 'Wh',
    start: MIDNIGHT - 86_400,
    periodSeconds: 900,
    deltas: Array.from({ length: 96 }, (_, quarter) =>
      quarter === 17 ? null : (quarter * 37 * (index + 1)) % 700,
    ),
  })),
  peaks: [{ obis: obis('1-0:1.6.0'), month: '2026-03', time: at, value: 4_329, scaler: 0, unit: 'W' }],
  extremes: ['1-0:32.7.0', '1-0:31.7.0'].map((code, index) => ({
    obis: obis(code),
    min: index === 0 ? 2_287 : 12,
    max: index === 0 ? 2_391 : 1_871,
    scaler: index === 0 ? -1 : -2,
    unit: index === 0 ? 'V' : 'A',
  })),
};

export const SAMPLE_WATER: MeterReading = {
  medium: 'water',
  channel: 1,
  serial: '8DDE0123456789',
  ean: null,
  flags: 1 << 5,
  registers: [{ obis: obis('0-1:24.2.1'), value: 872_234, scaler: -3, unit: 'm3', flags: 0, time: at }],
  profiles: [],
  peaks: [],
  extremes: [],
};

export const SAMPLE_INDEX: DailyIndex = {
  version: 1,
  tenant: SAMPLE_TENANT,
  device: SAMPLE_DEVICE,
  sequence: 42,
  day: '2026-03-28',
  capturedAt: at,
  clock: 'synchronised',
  meters: [SAMPLE_ELECTRICITY, SAMPLE_WATER],
};

/** One operator's sealing key, from both sides. The kid is given: nothing here checks what it is the hash of. */
export function sampleOperator(kid: string = '0011223344556677'): {
  recipient: RecipientKey;
  key: SealingKey;
} {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const name = Buffer.from(kid, 'hex');
  return { recipient: { kid: name, publicKey: pointOfKey(publicKey) }, key: { kid: name, privateKey } };
}

/** A device's signing key beside stand-in certificate bytes: this room does not look into them. */
export function sampleSigner(): { signer: SignerKey; publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const certificate = new Uint8Array(480).map((_, index) => (index * 31) & 0xff);
  return { signer: { privateKey, certificate }, publicKey };
}
