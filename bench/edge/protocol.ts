import type { SimulatedClockOptions } from '../../gateway/runtime/clock.ts';

/** What the bench and its meters say to each other, over the IPC channel of node:child_process. */
export interface MetersRequest {
  readonly p1: number;
  readonly modbus: number;
  /** Gas and water behind each P1 meter. */
  readonly mbus: boolean;
  /** Bytes that a bridge passes on at a time; null: a telegram as a whole. */
  readonly blockBytes: number | null;
}

/** Told to the meters before they are read: what their clocks show. */
export type MetersClock = Pick<SimulatedClockOptions, 'originMs' | 'startedAtMs' | 'speed'>;

export interface MetersReady {
  /** One a meter. */
  readonly p1: readonly number[];
  readonly modbus: readonly number[];
  readonly telegramBytes: number;
}

/** Sent by the floor when it is asked, with any message. */
export interface FloorCounts {
  readonly telegrams: number;
  readonly wrong: number;
}
