import type { DeviceId, TenantId } from './identity.ts';

/** Why an operator refuses a reading for good. The device parks it: sending the same bytes again cannot help. */
export const REFUSALS = ['signature', 'schema', 'identity', 'future', 'too-old', 'revoked', 'mdm'] as const;
export type RefusalCode = (typeof REFUSALS)[number];

export type Verdict =
  | { readonly verdict: 'delivered' }
  | { readonly verdict: 'duplicate' }
  | { readonly verdict: 'refused'; readonly code: RefusalCode }
  | { readonly verdict: 'later'; readonly seconds: number };

/** What the operator proves to the device: that its key opened the reading, and what became of it. */
export type Receipt = Verdict & {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly sequence: number;
  /** Epoch seconds, the router's clock. */
  readonly time: number;
};
