/** Between bench/campaign.ts and the process that is the desk and its meters. */

export interface DeskSetup {
  /** A data folder that is there and empty. */
  readonly data: string;
  readonly meters: number;
  /** Every so many is in airplane mode. */
  readonly airplaneOf: number;
}

export type FromDesk = { readonly ready: { readonly url: string } } | { readonly failed: string };

export const deviceOf = (number: number): string => (0x10_0000 + number).toString(16).padStart(16, '0');
