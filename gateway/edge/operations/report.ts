import {
  encodeEvent,
  type Report,
  type ReportedBreaker,
  type StateReport,
  signReport,
} from '../../../protocol/command/report.ts';
import { type RecipientKey, type Sealed, type SignerKey, sealUplink } from '../../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { MeterState, Position } from './state.ts';

/**
 * What the home operator is told of what changed at the meter itself: a button, the end of airplane mode, a plan that
 * took effect, a limiter that tripped. What a command changed its outcome says. It is read from the state when it is
 * sealed, so that only that one is owed is kept, and the newest stands for all before it.
 */

type Said = Pick<StateReport, 'airplaneSince' | 'breaker' | 'creditMode' | 'tariffPlan'>;

/** 0-0:96.3.10 in words. */
const BREAKERS: Readonly<Record<Position, ReportedBreaker>> = { 0: 'open', 1: 'closed', 2: 'armed' };

export function saidOf({ airplane, breaker, prepayment, tariff }: MeterState): Said {
  return {
    airplaneSince: airplane?.since ?? null,
    breaker: breaker === null ? null : BREAKERS[breaker.position],
    creditMode: prepayment === null ? 'credit' : 'prepaid',
    tariffPlan: tariff.plan,
  };
}

/** Whether a change is one that the operator cannot know of. */
export function isTelling(before: MeterState, after: MeterState): boolean {
  const [was, is] = [saidOf(before), saidOf(after)];
  return (Object.keys(is) as (keyof Said)[]).some((key) => was[key] !== is[key]);
}

interface Told {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly sequence: number;
  /** Epoch seconds. */
  readonly time: number;
  readonly signer: SignerKey;
  readonly recipient: RecipientKey;
}

/**
 * A report as it is published on the event topic of the home tenant. Its receipt names `sequence`.
 * @throws ERR_REPORT_SCHEMA, ERR_ENVELOPE_*
 */
export const sealReport = ({ state, ...told }: Told & { readonly state: MeterState }): Sealed =>
  seal(told, saidOf(state));

/**
 * The new key-agreement certificate (DER) of the device, as it is published on the event topic of any of its tenants.
 * @throws ERR_REPORT_SCHEMA, ERR_ENVELOPE_*
 */
export const sealKeyReport = ({
  certificate,
  ...told
}: Told & { readonly certificate: Uint8Array }): Sealed => seal(told, { certificate });

function seal(told: Told, said: Said | { readonly certificate: Uint8Array }): Sealed {
  const { tenant, device, sequence, time, signer, recipient } = told;
  const about: Pick<Report, 'tenant' | 'device' | 'time'> = { tenant, device, time };
  const report = signReport({ report: { ...about, ...said }, signer });
  const payload = encodeEvent({ version: 1, tenant, device, sequence, report });
  return sealUplink({ payload, binding: { tenant, device, kind: 'event' }, recipient, signer });
}
