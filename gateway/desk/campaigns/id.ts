import { createHash } from 'node:crypto';

/**
 * A campaign's name: the first 16 bytes of its manifest's SHA-256, as hex digits. So the name says what is in it, and
 * a desk cannot put another campaign under the name that was approved.
 */
export type CampaignId = string & { readonly __brand: 'CampaignId' };

const PATTERN = /^[0-9a-f]{32}$/;

export function isCampaignId(text: unknown): text is CampaignId {
  return typeof text === 'string' && PATTERN.test(text);
}

export const sha256Hex = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const campaignIdOf = (manifestDigest: string): CampaignId => manifestDigest.slice(0, 32) as CampaignId;
