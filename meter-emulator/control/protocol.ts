import { z } from 'zod';
import type { DeviceId } from '../../protocol/identity.ts';
import { isDeviceId } from '../../protocol/identity.ts';
import type { Pressed } from '../operations/commanded-meter.ts';
import type { MeterScreen } from '../operations/screen.ts';

/**
 * What can be asked at a fleet's control socket: a JSON line each way. It is a hand and an eye at a meter, and nothing
 * that an operator can do: no command goes this way, and no reading comes back.
 */

const device = z.custom<DeviceId>(isDeviceId, 'a device has 16 hex digits');

/** Longer than anybody holds a button. */
const HELD_MS_MAX = 60_000;

export const fleetRequest = z.discriminatedUnion('do', [
  /** `label`: with the number on its label, which is how a person on site knows whose meter it is. */
  z.strictObject({ do: z.literal('screen'), device, label: z.boolean().default(false) }),
  z.strictObject({ do: z.literal('press'), device, heldMs: z.int().min(0).max(HELD_MS_MAX) }),
  z.strictObject({ do: z.literal('airplane-off'), device }),
  z.strictObject({ do: z.literal('power'), device, on: z.boolean() }),
]);

export type FleetRequest = z.output<typeof fleetRequest>;
export type FleetQuestion = z.input<typeof fleetRequest>;

export interface FleetAnswer {
  /** What came of it: of a press; `ended` and `not-silent` of airplane mode; `on` and `off` of power. */
  readonly did: Pressed | 'ended' | 'not-silent' | 'on' | 'off' | null;
  /** As it is after that. */
  readonly screen: MeterScreen;
}

export type FleetReply =
  | ({ readonly ok: true } & FleetAnswer)
  | { readonly ok: false; readonly code: string; readonly message: string };

/** The longest question has 80 bytes. */
export const REQUEST_BYTES_MAX = 1_024;
/** A message of 1,024 characters in UTF-8 and in hex, with everything else. */
export const REPLY_BYTES_MAX = 65_536;
/** A device that is awake and gets no answer is in other hands for so long at most. */
export const REPLY_WITHIN_MS = 60_000;
/** Who connects and asks nothing, or does not fetch its answer. */
export const IDLE_MS = 5_000;
/** More at once than any test asks. */
export const CONNECTIONS_MAX = 32;
