import type { CommandId } from '../../../protocol/command/id.ts';
import type { SUPPLY_CAUSES } from '../../../protocol/command/table.ts';
import type { TariffSetting } from '../../../protocol/command/tariff.ts';
import { hasBreaker, type Installation } from './installation.ts';

/**
 * What a meter is in, as far as commands and people at it change it. Times are epoch seconds, money is cents.
 * `overSince` and `screen` are of the moment: they are not kept, and nothing depends on them after a restart.
 */
export interface MeterState {
  readonly tariff: TariffSetting;
  /** What takes its place at the local midnight that begins a day. */
  readonly nextTariff: ScheduledTariff | null;
  /** Null in the usual credit mode. */
  readonly prepayment: Prepayment | null;
  /** Null where there is none. */
  readonly breaker: Breaker | null;
  readonly valves: readonly Valve[];
  /** Null is no limit. */
  readonly limiterW: number | null;
  /** The customer port. */
  readonly port: boolean;
  readonly message: { readonly text: string; readonly until: number } | null;
  readonly airplane: Airplane | null;
  /** Times of airplane mode that ended: no profile of them is ever sent. Oldest first, apart from each other. */
  readonly silences: readonly Silence[];
  /** Since when the load lies above the limiter without a break. */
  readonly overSince: number | null;
  /** Which of the screens of prepayment is shown. */
  readonly screen: number;
}

export interface ScheduledTariff extends TariffSetting {
  /** `YYYY-MM-DD`, local. */
  readonly from: string;
}

export interface Prepayment {
  readonly startCreditCents: number;
  readonly lowCreditAlertCents: number;
  readonly emergencyCreditCents: number;
  /** As the platform says; the meter does no arithmetic with it. */
  readonly balanceCents: number;
  readonly asOf: number;
}

export type SupplyCause = keyof typeof SUPPLY_CAUSES;

/** As P1 shows it: 0 open (no supply), 1 closed (supply), 2 ready for the person on site. */
export type Position = 0 | 1 | 2;

/** A breaker or a valve. */
export interface Switch {
  readonly position: Position;
  /** Why it was cut from afar; empty unless it is open. */
  readonly causes: readonly SupplyCause[];
}

export interface Breaker extends Switch {
  /** When a trip of the limiter has rested, and the button works again; null where none rests. */
  readonly restUntil: number | null;
}

export interface Valve extends Switch {
  readonly channel: number;
  /** A leak test runs, since the button was held or since power came back. Gas flows only once it was tight. */
  readonly testing: boolean;
}

export interface Airplane {
  readonly since: number;
  readonly command: CommandId;
  /** Its result has its receipt: from here on nothing is sent. */
  readonly acknowledged: boolean;
}

export interface Silence {
  readonly since: number;
  readonly until: number;
}

/** A meter as it leaves the van: one rate, credit, supplies on, customer port as the operator wants it. */
export function initialState(
  installation: Installation,
  options: { readonly port?: boolean } = {},
): MeterState {
  return {
    tariff: { plan: 'mono', windows: [] },
    nextTariff: null,
    prepayment: null,
    breaker: hasBreaker(installation) ? { position: 1, causes: [], restUntil: null } : null,
    valves: installation.meters
      .filter(({ medium, switchable }) => medium !== 'electricity' && switchable)
      .map(({ channel }) => ({ channel, position: 1, causes: [], testing: false })),
    limiterW: null,
    port: options.port ?? true,
    message: null,
    airplane: null,
    silences: [],
    overSince: null,
    screen: 0,
  };
}

/**
 * A valve joins when its meter is installed, open as a fitter leaves it. One that was taken down keeps its place:
 * an M-Bus meter that is silent for an hour is not a new one.
 */
export function withInstallation(state: MeterState, installation: Installation): MeterState {
  const fresh = initialState(installation);
  const valves = [
    ...state.valves,
    ...fresh.valves.filter(({ channel }) => !state.valves.some((valve) => valve.channel === channel)),
  ];
  const breaker = state.breaker ?? fresh.breaker;
  return valves.length === state.valves.length && breaker === state.breaker
    ? state
    : { ...state, valves, breaker };
}

/** Cut for a cause, beside those for which it already is. */
export function cut<S extends Switch>(current: S, cause: SupplyCause): S {
  const causes = current.causes.includes(cause) ? current.causes : [...current.causes, cause];
  return { ...current, position: 0, causes };
}

/** Ready for the person on site; what is closed already stays closed. */
export function arm<S extends Switch>(current: S): S {
  return current.position === 1 ? current : { ...current, position: 2, causes: [] };
}

/** Cut for credit and for nothing else: what a balance may give back. */
export const isCutForCredit = (current: Switch): boolean =>
  current.position === 0 && current.causes.length === 1 && current.causes[0] === 'credit';

export function withValve(state: MeterState, valve: Valve): MeterState {
  return { ...state, valves: state.valves.map((old) => (old.channel === valve.channel ? valve : old)) };
}

export const valveOn = ({ valves }: MeterState, channel: number): Valve | undefined =>
  valves.find((valve) => valve.channel === channel);

/** Whether the meter is silent: in airplane mode, and that was acknowledged. */
export const isSilent = ({ airplane }: MeterState): boolean => airplane?.acknowledged ?? false;

/**
 * Whether a profile must not say anything about a time, from a second up to, not with, another: any of it is of
 * airplane mode, running or ended.
 */
export function isWithheld({ airplane, silences }: MeterState, from: number, to: number): boolean {
  return (
    (airplane !== null && to > airplane.since) ||
    silences.some(({ since, until }) => to > since && from < until)
  );
}
