import type { MeterView } from '../../gateway/edge/operations/view.ts';
import { PLANS, type Plan } from '../../protocol/command/tariff.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { Medium } from '../../protocol/reading.ts';
import type { CommandedMeter } from './commanded-meter.ts';

/**
 * What somebody sees who stands in front of an emulated meter, without what it counted: readings leave a meter sealed,
 * and this crosses a socket.
 */
export interface MeterScreen {
  readonly simulated: true;
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly medium: Medium;
  readonly power: 'on' | 'off';
  /** Whether it has a session with its head-end at this moment; null where that is not known. */
  readonly connected: boolean | null;
  readonly tariff: {
    readonly plan: Plan;
    readonly rate: number;
    readonly rateName: string;
    /** Of 1.8.1 and 1.8.2 the one that runs. */
    readonly register: 1 | 2;
    /** What takes its place on a local day to come. */
    readonly next: { readonly plan: Plan; readonly from: string } | null;
  };
  readonly creditMode: 'credit' | 'prepaid';
  readonly breaker: BreakerWord | null;
  readonly valves: readonly ValveScreen[];
  readonly limiterW: number | null;
  readonly message: string;
  /** The customer port: what it is commanded to. */
  readonly port: 'on' | 'off';
  /** ISO 8601, or null where it is not in airplane mode. */
  readonly airplaneSince: string | null;
  readonly display: MeterView['display'];
  /** What the customer port prints of all that; null where it is silent, or where there is none. */
  readonly p1: readonly string[] | null;
  /** The number on its label, where it was asked for. */
  readonly ean?: string;
}

export interface ValveScreen {
  readonly channel: number;
  readonly medium: Medium;
  /** A shut valve lets nothing through; an open contact of a breaker does not either. So here it is the supply. */
  readonly supply: SupplyWord;
  readonly testing: boolean;
}

export type BreakerWord = 'open' | 'closed' | 'armed';
export type SupplyWord = 'off' | 'on' | 'ready';

/** 0-0:96.3.10 in words, as the desk has them, and 0-n:24.4.0. */
const POSITIONS = ['open', 'closed', 'armed'] as const;
const SUPPLIES = ['off', 'on', 'ready'] as const;

/** @param telegram the text of the customer port at this moment; null where it has none */
export function screenOf(
  meter: CommandedMeter,
  about: { readonly connected: boolean | null; readonly telegram: () => string | null },
): MeterScreen {
  const { installation, operations, power } = meter;
  const view = meter.view();
  const { tariff, nextTariff, prepayment, airplane } = operations.state;
  const telegram = power && view.port ? about.telegram() : null;
  return {
    simulated: true,
    device: installation.device,
    home: installation.home,
    medium: installation.meters[0]!.medium,
    power: power ? 'on' : 'off',
    connected: about.connected,
    tariff: {
      plan: tariff.plan,
      rate: view.rate,
      rateName: PLANS[tariff.plan].rates[view.rate - 1]?.name ?? '',
      register: view.register,
      next: nextTariff === null ? null : { plan: nextTariff.plan, from: nextTariff.from },
    },
    creditMode: prepayment === null ? 'credit' : 'prepaid',
    breaker: view.breaker === null ? null : POSITIONS[view.breaker],
    valves: view.valves.map(({ channel, position, testing }) => ({
      channel,
      medium: installation.meters.find((one) => one.channel === channel)?.medium ?? 'gas',
      supply: SUPPLIES[position],
      testing,
    })),
    limiterW: view.limiterW,
    message: view.message,
    port: view.port ? 'on' : 'off',
    airplaneSince: airplane === null ? null : new Date(airplane.since * 1_000).toISOString(),
    display: view.display,
    p1: telegram === null ? null : commandedLines(telegram),
  };
}

/** Lines of a telegram that commands have a part in: breaker, rate, limiter, message, valves; and the time. */
const COMMANDED = /^0-(?:0:(?:1\.0\.0|96\.3\.10|96\.14\.0|17\.0\.0|96\.13\.0)|\d:24\.4\.0)\(/;
/** Whose meter it is stays on its label. */
const IDENTITIES = /^(0-\d:96\.1\.[12])\(.+\)$/;

/** Registers are left out, and serial numbers and EANs are covered. */
export function commandedLines(telegram: string): readonly string[] {
  return telegram.split('\r\n').flatMap((line) => {
    const identity = IDENTITIES.exec(line);
    if (identity !== null) return [`${identity[1]}(…)`];
    return COMMANDED.test(line) ? [line] : [];
  });
}
