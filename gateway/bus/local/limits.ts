/** Every bound of the local bus, and what happens when it is reached. */
export interface LocalBusLimits {
  /** Bytes of one body, question or answer. Larger: ERR_BUS_OVERSIZE for a question, ERR_BUS_HANDLER for an answer. */
  readonly bodyBytesMax: number;
  /** Requests of one tenant without an answer. More: ERR_BUS_OVERLOADED. */
  readonly inFlightMax: number;
  /** Requests that one process of a tenant works on at once. More: ERR_BUS_OVERLOADED. */
  readonly handlersMax: number;
  /** Bytes that wait for one peer to read them. More: no further requests go to it, and it is cut off when answers wait. */
  readonly writeBufferBytesMax: number;
  /** Connections to one tenant's socket. More: refused with a reason. */
  readonly connectionsMax: number;
  /** How long a clean stop waits for running handlers. */
  readonly drainMs: number;
}

export const LOCAL_BUS_LIMITS: LocalBusLimits = {
  // A sealed daily index is about 2 KiB, and of the largest device some tens: a quarter of a mebibyte is roomy.
  bodyBytesMax: 256 * 1024,
  // Four seconds' worth of the whole consortium's busiest hour (2,222 a second), for one tenant.
  inFlightMax: 10_000,
  handlersMax: 10_000,
  // 8,000 daily indexes; above it the peer is stuck, not slow.
  writeBufferBytesMax: 16 * 1024 * 1024,
  // Routers and desks of one tenant on one machine; nobody has more processes than cores.
  connectionsMax: 64,
  drainMs: 5_000,
};

/** A peer says who it is within this, and the hub answers within this. */
export const HANDSHAKE_WITHIN_MS = 5_000;

/** A peer that lost the hub is back within two seconds of its return, and does not knock more than needed before. */
export const RECONNECT = { baseMs: 50, maxMs: 2_000, minMs: 10 } as const;
