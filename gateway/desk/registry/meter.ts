import type { Plan } from '../../../protocol/command/tariff.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { Medium } from '../../../protocol/reading.ts';

/** What a desk knows of a meter: whose it is, what state commands have put it into. Never a reading. */

/** 0 is the device's own meter, 1 to 4 an M-Bus channel. */
export interface MeterChannel {
  readonly channel: number;
  readonly medium: Medium;
  readonly owner: TenantId;
}

export const CREDIT_MODES = ['credit', 'prepaid'] as const;
export type CreditMode = (typeof CREDIT_MODES)[number];

/** 0-0:96.3.10 of P1: open, closed, ready for reconnection. */
export const BREAKER_STATES = ['open', 'closed', 'armed'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

/** The things whose state a registry follows; each knows which moment at the device its state is of. */
export const FOLLOWED = ['tariff', 'credit', 'airplane', 'breaker'] as const;
export type Followed = (typeof FOLLOWED)[number];

export interface MeterState {
  readonly creditMode: CreditMode;
  readonly tariffPlan: Plan;
  /** A plan that takes effect on a local day to come. */
  readonly tariffPlanned: { readonly plan: Plan; readonly from: string } | null;
  /** Since when, epoch seconds by the device's clock; null where it is not in airplane mode. */
  readonly airplaneSince: number | null;
  readonly breaker: BreakerState;
}

export interface Meter extends MeterState {
  readonly device: DeviceId;
  /** Whose device it is; the desk's own tenant, or another whose device carries a channel of the desk's. */
  readonly home: TenantId;
  /** In the order of their numbers, each number once. */
  readonly channels: readonly MeterChannel[];
  /** Of the device's own meter. */
  readonly medium: Medium;
  /** DER of its key-agreement certificate, which commands are sealed to; null until it is known. */
  readonly certificate: Uint8Array | null;
  readonly lastSeenMs: number | null;
  /** Epoch seconds at the device of the latest outcome that was followed, by what it changed. */
  readonly followedAt: Readonly<Partial<Record<Followed, number>>>;
}

export function newMeter(given: {
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly medium: Medium;
  readonly channels?: readonly MeterChannel[];
}): Meter {
  const { device, home, medium, channels = [{ channel: 0, medium, owner: home }] } = given;
  return {
    device,
    home,
    channels,
    medium,
    certificate: null,
    lastSeenMs: null,
    creditMode: 'credit',
    tariffPlan: 'mono',
    tariffPlanned: null,
    airplaneSince: null,
    breaker: 'closed',
    followedAt: {},
  };
}

/** The plan that holds on a local day, `YYYY-MM-DD`. */
export function tariffPlanOn({ tariffPlan, tariffPlanned }: MeterState, day: string): Plan {
  return tariffPlanned !== null && tariffPlanned.from <= day ? tariffPlanned.plan : tariffPlan;
}
