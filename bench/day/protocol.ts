import type { DeviceIdentity, Recipient } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';

/** What the benchmark tells the process that plays the meters, once, as JSON on its standard input. */
export interface MetersSetup {
  readonly tenant: TenantId;
  readonly identities: readonly DeviceIdentity[];
  readonly recipient: { readonly kid: string; readonly publicKey: string };
  /** Meters that are on the line at once. */
  readonly atOnce: number;
}

/** Live so many days, one connection each, at whoever listens on the port. */
export interface DaysOrder {
  readonly port: number;
  readonly days: number;
  readonly resume: boolean;
  /** Whether whoever acknowledges must have sent a valid receipt before. */
  readonly receipts: boolean;
}

export interface Negotiated {
  readonly protocol: string;
  readonly cipher: string;
  readonly group: string;
}

export interface DaysReport {
  readonly days: number;
  readonly resumed: number;
  readonly elapsedMs: number;
  readonly medianMs: number;
  readonly sealedBytes: number;
  readonly negotiated: Negotiated;
}

/** The order is given in two steps, so that sealing does not fall into the time that is measured. */
export type MetersMessage = { readonly prepare: DaysOrder } | { readonly go: true };
export type MetersAnswer =
  | { readonly ready: true }
  | { readonly report: DaysReport }
  | { readonly failed: string };

export const recipientText = ({ kid, publicKey }: Recipient): MetersSetup['recipient'] => ({
  kid: Buffer.from(kid).toString('hex'),
  publicKey: Buffer.from(publicKey).toString('hex'),
});
