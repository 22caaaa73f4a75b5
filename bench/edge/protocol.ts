/** What the bench and its meters say to each other, over the IPC channel of node:child_process. */
export interface MetersRequest {
  readonly meters: number;
  /** Bytes that a bridge passes on at a time; null: a telegram as a whole. */
  readonly blockBytes: number | null;
}

export interface MetersReady {
  /** One a meter. */
  readonly ports: readonly number[];
  readonly telegramBytes: number;
}

/** Sent by the floor when it is asked, with any message. */
export interface FloorCounts {
  readonly telegrams: number;
  readonly wrong: number;
}
