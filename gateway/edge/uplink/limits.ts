export interface UplinkLimits {
  /** TCP, TLS and CONNACK together; a handshake over the slowest cellular link takes 3 to 5 s. */
  readonly connectTimeoutMs: number;
  /** From PUBLISH to receipt: the front gives up on a router after 20 s, and says so by closing. */
  readonly answerTimeoutMs: number;
  /** The receipt goes out before the PUBACK; a head-end that sends none of use is not waited for longer than this. */
  readonly receiptGraceMs: number;
  /** How long a clean end of the connection may take before it is cut. */
  readonly closeTimeoutMs: number;
  /** Readings of one owner on the way at once. The front holds 8 of a client and closes on the ninth. */
  readonly window: number;
  /** The front notices a lost device after 1.5 times this; a wake is over long before a ping would be due. */
  readonly keepaliveSeconds: number;
}

/** What a device does unless it is told otherwise (docs/adr/0075). */
export const UPLINK_LIMITS: UplinkLimits = {
  connectTimeoutMs: 20_000,
  answerTimeoutMs: 30_000,
  receiptGraceMs: 2_000,
  closeTimeoutMs: 1_000,
  window: 4,
  keepaliveSeconds: 600,
};
