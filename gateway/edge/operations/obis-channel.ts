import type { ObisCode } from '../../../protocol/reading.ts';

/** The channel that a register belongs to: the B of `A-B:C.D.E` (IEC 62056-61 §5); 0 is the device's own meter. */
export function channelOf(code: ObisCode): number {
  const text = String(code);
  return Number(text.slice(text.indexOf('-') + 1, text.indexOf(':')));
}
