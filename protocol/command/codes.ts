/**
 * Why a device did not execute a command: one row each, with its number on the wire. `refused`: it would not;
 * `failed`: it would, and could not.
 */
export const RESULT_CODES = {
  signature: { number: 1, state: 'refused', says: 'is not signed as its kind asks' },
  signer: { number: 2, state: 'refused', says: 'is signed by somebody whom the meter does not trust' },
  role: { number: 3, state: 'refused', says: 'is signed by somebody without the role for it' },
  people: { number: 4, state: 'refused', says: 'needs the signatures of two different people' },
  device: { number: 5, state: 'refused', says: 'is for another device or tenant' },
  early: { number: 6, state: 'refused', says: 'came before its validity begins' },
  expired: { number: 7, state: 'refused', says: 'came after its validity ended' },
  counter: { number: 8, state: 'refused', says: 'is not newer than the last one of its signer' },
  arguments: { number: 9, state: 'refused', says: 'asks for what this meter does not allow' },
  unsupported: { number: 10, state: 'refused', says: 'is nothing that this meter can do' },
  protected: { number: 11, state: 'refused', says: 'would cut for credit in the non-disconnection period' },
  prepaid: { number: 12, state: 'refused', says: 'is not for a meter in prepayment' },
  'not-prepaid': { number: 13, state: 'refused', says: 'is for a meter in prepayment only' },
  airplane: { number: 14, state: 'refused', says: 'came in airplane mode, which ends at the meter only' },
  clock: { number: 15, state: 'refused', says: 'cannot be judged: the clock of the meter is not set' },
  owner: { number: 16, state: 'refused', says: 'is about a meter of another tenant' },
  busy: { number: 32, state: 'failed', says: 'met a meter busy with something else; nothing was changed' },
  storage: { number: 33, state: 'failed', says: 'could not be kept safely; nothing was changed' },
  channel: { number: 34, state: 'failed', says: 'met a silent M-Bus channel; nothing was changed' },
  hardware: { number: 35, state: 'failed', says: 'met hardware that did not do it' },
  interrupted: { number: 36, state: 'failed', says: 'was interrupted; what it changed is not known' },
  internal: { number: 37, state: 'failed', says: 'met a fault of the meter’s own' },
} as const satisfies Readonly<
  Record<string, { readonly number: number; readonly state: 'refused' | 'failed'; readonly says: string }>
>;
export type ResultCode = keyof typeof RESULT_CODES;
