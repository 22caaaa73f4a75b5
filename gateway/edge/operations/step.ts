import type { ResultCode } from '../../../protocol/command/codes.ts';
import type { RENEWABLE_KEYS } from '../../../protocol/command/table.ts';
import type { ObisCode } from '../../../protocol/reading.ts';
import type { MeterState, Position } from './state.ts';

/** Something that hardware or another part of the device has to do: where it shall be, never by how much. */
export type Action =
  | { readonly kind: 'breaker'; readonly position: Position }
  | { readonly kind: 'valve'; readonly channel: number; readonly position: Position }
  | { readonly kind: 'leak-test'; readonly channel: number }
  | { readonly kind: 'limiter'; readonly powerW: number | null }
  | { readonly kind: 'port'; readonly on: boolean }
  | { readonly kind: 'clock'; readonly time: number }
  | { readonly kind: 'credential'; readonly key: keyof typeof RENEWABLE_KEYS }
  /** Ask whether an M-Bus channel answers: what is read from it is read when its result is sealed. */
  | { readonly kind: 'reach'; readonly channel: number };

/** What somebody may want to know at once; data, and never a reading. */
export type Notice =
  | 'low-credit'
  | 'emergency-credit'
  | 'armed'
  | 'supply-closed'
  | 'limiter-tripped'
  | 'leak'
  | 'tariff-changed'
  | 'message-ended'
  /** Now the current index is sent, without a profile of the time before. */
  | 'airplane-ended'
  /** A local action whose hardware did not do it. */
  | 'hardware';

/** What `read.now` asks for. It is read when the result is sealed, and lies nowhere in clear. */
export interface Reads {
  /** Of these channels; never one of another owner. */
  readonly channels: readonly number[];
  /** None means all. */
  readonly registers: readonly ObisCode[];
}

/** Where an input leads to. The state counts once the action is done. */
export interface Step {
  readonly state: MeterState;
  readonly action: Action | null;
  readonly notices: readonly Notice[];
  readonly reads: Reads | null;
}

export const step = (
  state: MeterState,
  about: { readonly action?: Action; readonly notices?: readonly Notice[]; readonly reads?: Reads } = {},
): Step => ({
  state,
  action: about.action ?? null,
  notices: about.notices ?? [],
  reads: about.reads ?? null,
});

export type Decision = Step | ResultCode;

/** The hardware, and what else of a device a command reaches. */
export interface Hardware {
  /** `channel`: an M-Bus meter does not answer, and nothing was changed. What it throws counts as `hardware`. */
  perform(action: Action): ActionResult | Promise<ActionResult>;
  /**
   * Whether the action is done already; asked after a restart about one that was begun. Undefined where that
   * cannot be told.
   */
  standing(action: Action): boolean | undefined | Promise<boolean | undefined>;
}

export type ActionResult = 'done' | 'channel' | 'busy' | 'hardware';
