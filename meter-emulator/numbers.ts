import { createHash } from 'node:crypto';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import type { Medium } from '../protocol/reading.ts';

/**
 * Serial numbers, EANs and pseudonyms of emulated meters. All of them are made up, unique within a seed, and found
 * again by the same seed. Serials and EANs never reach a disk; only pseudonyms name folders.
 */

/**
 * A real device's pseudonym is random, given at enrolment. An emulated one is the hash of its place in the fleet, so
 * that a fleet started again over the same folder finds its keys and its outboxes.
 */
export function emulatedDeviceId(...place: readonly (string | number)[]): DeviceId {
  const digest = createHash('sha256')
    .update(`hes emulated device|${place.join('|')}`)
    .digest('hex');
  return digest.slice(0, 16) as DeviceId;
}

/** Maker and type as the first four places of a serial number, as Belgian meters print them. */
const SERIAL_PREFIXES: Readonly<Record<Medium, readonly string[]>> = {
  electricity: ['1SAG', '1LGZ'],
  gas: ['7FLO', '7ITR'],
  water: ['8SEN', '8KAM'],
  heat: ['6KAM', '6DIE'],
};

/** Ten digits that no two numbers below 10^10 share: a walk with a step that has no factor in common with 10^10. */
function scatter(number: number, seed: number): string {
  const range = 10_000_000_000n;
  const walked = (BigInt(number) * 7_368_787_301n + BigInt(seed) * 2_654_435_761n) % range;
  return walked.toString().padStart(10, '0');
}

/** A serial number of 14 places. */
export function serialNumber(medium: Medium, ordinal: number, seed: number): string {
  const prefixes = SERIAL_PREFIXES[medium];
  return `${prefixes[ordinal % prefixes.length]}${scatter(ordinal, seed)}`;
}

/** Five digits per operator after the country's 54; operators outside the table share one block. */
const EAN_BLOCKS: Readonly<Record<string, string>> = {
  ores: '14490',
  fluvius: '14488',
  resa: '14567',
  sibelga: '14489',
  pidpa: '19061',
  dewatergroep: '19062',
  farys: '19063',
};
const EAN_BLOCK_OF_OTHERS = '19099';

/** An EAN (GSRN): 18 digits, `54` for Belgium, the last one the GS1 check digit. */
export function eanNumber(tenant: TenantId, ordinal: number, seed: number): string {
  const digits = `54${EAN_BLOCKS[tenant] ?? EAN_BLOCK_OF_OTHERS}${scatter(ordinal, seed + 1)}`;
  return digits + gs1CheckDigit(digits);
}

/** GS1 General Specifications §7.9: weights 3 and 1 from the right, up to the next multiple of ten. */
export function gs1CheckDigit(digits: string): string {
  let sum = 0;
  for (let index = 0; index < digits.length; index++) {
    const weight = (digits.length - index) % 2 === 1 ? 3 : 1;
    sum += weight * Number(digits[index]);
  }
  return String((10 - (sum % 10)) % 10);
}
