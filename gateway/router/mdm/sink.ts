/** A record on its way to the MDM, as bytes: nothing behind this line looks into a reading. */
export interface MdmRecord {
  /** The idempotency key: device/tenant/sequence, or device/tenant/read/command. */
  readonly key: string;
  readonly body: Buffer;
}

/** Why a record is to come again later; a counter each. */
export const LATER_REASONS = ['away', 'full', 'deadline', 'retry', 'unprocessable', 'closing'] as const;
export type LaterReason = (typeof LATER_REASONS)[number];

/** What became of one record. Only the first three are the MDM's own word about it. */
export type Delivery =
  | { readonly outcome: 'accepted' }
  | { readonly outcome: 'duplicate' }
  | { readonly outcome: 'rejected'; readonly code: string }
  | { readonly outcome: 'later'; readonly why: LaterReason; readonly atLeastSeconds: number };

/**
 * Where records go. A sink answers within the time that it is given, whatever the MDM does, never throws, and
 * neither keeps nor reads a record's body once it has answered: the body is overwritten then.
 */
export interface MdmSink {
  deliver(record: MdmRecord, withinMs: number): Promise<Delivery>;
  close(): Promise<void>;
}
