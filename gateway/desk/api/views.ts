import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { RESULT_CODES, type ResultCode } from '../../../protocol/command/codes.ts';
import { PLANS, type Plan } from '../../../protocol/command/tariff.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Medium } from '../../../protocol/reading.ts';
import { STORED_STATES, type StoredState } from '../lifecycle/states.ts';
import { REFUSERS } from '../lifecycle/transitions.ts';
import { BREAKER_STATES, CREDIT_MODES, type Meter } from '../registry/meter.ts';
import { recipientOfCertificate } from '../registry/recipient.ts';
import type { StoredCommand } from '../store/port.ts';
import { commandId, commandType, deviceId, role } from './shapes.ts';

/** Meters and commands as the API shows them: times in ISO 8601, and never an EAN or a reading. */

const iso = z.iso.datetime();
const plan = z.enum(Object.keys(PLANS) as [Plan, ...Plan[]]);
const MEDIA = ['electricity', 'gas', 'water', 'heat'] as const satisfies readonly Medium[];
export const medium = z.enum(MEDIA);
export const state = z.enum(STORED_STATES as [StoredState, ...StoredState[]]);
export const creditMode = z.enum(CREDIT_MODES);
const resultCode = z.enum(Object.keys(RESULT_CODES) as [ResultCode, ...ResultCode[]]);

export const meterView = z.strictObject({
  device: deviceId,
  /** The tenant whose device it is. */
  home: z.string(),
  medium,
  /** Null where the desk cannot know: of another tenant's device it sees its own channels only. */
  tariffPlan: plan.nullable(),
  tariffPlanned: z.strictObject({ plan, from: z.string() }).nullable(),
  /** Null where the desk cannot know. */
  creditMode: creditMode.nullable(),
  /** Null where there is none, or the desk cannot know. */
  breaker: z.enum(BREAKER_STATES).nullable(),
  /** Null where the desk cannot know. */
  airplane: z.boolean().nullable(),
  airplaneSince: iso.nullable(),
  lastSeen: iso.nullable(),
  channels: z.array(z.strictObject({ channel: z.int(), medium, owner: z.string() })),
});
export type MeterView = z.input<typeof meterView>;

/** One meter, with what a list leaves out. */
export const shownMeter = meterView.extend({
  /** Of the key that commands are sealed to; null until it is known. */
  key: z.strictObject({ kid: z.string(), notBefore: iso, notAfter: iso }).nullable(),
});

export const commandView = z.strictObject({
  id: commandId,
  device: deviceId,
  type: commandType,
  state,
  /** Why it did not go, in the words of the command table. */
  code: resultCode.nullable(),
  /** Whose refusal it was: of the device, by its signature, or of a guard of the desk. Null where it is none. */
  refusedBy: z.enum(REFUSERS).nullable(),
  person: z.string(),
  role,
  approver: z.string().nullable(),
  attempts: z.int(),
  proposedAt: iso,
  changedAt: iso,
  notBefore: iso,
  expiry: iso,
  reason: z.string().nullable(),
  late: z
    .strictObject({ state: z.enum(['executed', 'refused', 'failed']), code: resultCode.nullable() })
    .nullable(),
});
export type CommandView = z.input<typeof commandView>;

const isoOfMs = (epochMs: number): string => new Date(epochMs).toISOString();
const isoOfSeconds = (epochSeconds: number): string => isoOfMs(epochSeconds * 1_000);

/**
 * A device of another tenant is that tenant's to command: what became of it there, this desk is not told, and what it
 * does not know it does not claim.
 */
const NOT_KNOWN = {
  tariffPlan: null,
  tariffPlanned: null,
  creditMode: null,
  breaker: null,
  airplane: null,
  airplaneSince: null,
} as const satisfies Partial<MeterView>;

/** @param tenant whose desk shows it */
export function viewOfMeter(meter: Meter, tenant: TenantId): MeterView {
  const { device, home, medium, tariffPlan, tariffPlanned, creditMode, airplaneSince, lastSeenMs } = meter;
  return {
    device,
    home,
    medium,
    tariffPlan,
    tariffPlanned,
    creditMode,
    // Gas is shut by its valve, and a water meter by hand.
    breaker: medium === 'electricity' ? meter.breaker : null,
    airplane: airplaneSince !== null,
    airplaneSince: airplaneSince === null ? null : isoOfSeconds(airplaneSince),
    lastSeen: lastSeenMs === null ? null : isoOfMs(lastSeenMs),
    channels: meter.channels.map(({ channel, medium, owner }) => ({ channel, medium, owner })),
    ...(home === tenant ? {} : NOT_KNOWN),
  };
}

/** @param tenant whose desk shows it */
export function showMeter(meter: Meter, tenant: TenantId): z.input<typeof shownMeter> {
  return { ...viewOfMeter(meter, tenant), key: keyOf(meter) };
}

function keyOf(meter: Meter): z.input<typeof shownMeter>['key'] {
  const { certificate } = meter;
  const kid = certificate === null ? undefined : recipientOfCertificate(certificate, meter)?.kid;
  if (certificate === null || kid === undefined) return null;
  const { validFromDate, validToDate } = new X509Certificate(certificate);
  const [notBefore, notAfter] = [validFromDate, validToDate].map((date) => date.toISOString());
  return { kid: Buffer.from(kid).toString('hex'), notBefore: notBefore!, notAfter: notAfter! };
}

export function viewOfCommand(command: StoredCommand): CommandView {
  const { id, device, type, state, code, refusedBy, person, role, approver, attempts, reason, late } =
    command;
  return {
    id,
    device,
    type,
    state,
    code,
    refusedBy,
    person,
    role,
    approver,
    attempts,
    proposedAt: isoOfMs(command.proposedAtMs),
    changedAt: isoOfMs(command.changedAtMs),
    notBefore: isoOfSeconds(command.notBefore),
    expiry: isoOfSeconds(command.expiry),
    reason,
    late,
  };
}
