import type { ResultCode } from '../../../protocol/command/codes.ts';
import type { Command } from '../../../protocol/command/command.ts';
import type { ArgumentsOf, CommandType } from '../../../protocol/command/table.ts';
import { numberOfDay } from '../../../protocol/day.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { dayAt } from '../days/calendar.ts';
import { hasBreaker, hasValve, type Installation, isProtected, meterOn } from './installation.ts';
import { AHEAD_SECONDS_MAX, MESSAGE_AHEAD_SECONDS_MAX, TARIFF_AHEAD_DAYS_MAX } from './limits.ts';
import { channelOf } from './obis-channel.ts';
import {
  arm,
  cut,
  type MeterState,
  type Prepayment,
  type SupplyCause,
  type Switch,
  valveOn,
  withValve,
} from './state.ts';
import { type Decision, step } from './step.ts';

/** What a meter does with each command of the table, once it is accepted: pure, and a code where it will not. */

export interface Circumstances {
  /** Epoch seconds by the meter's clock. */
  readonly now: number;
  readonly installation: Installation;
  /** The clock is never set to before this: the last closed day, the last receipt. */
  readonly clockFloor: number;
}

interface About<T extends CommandType> extends Circumstances {
  readonly args: ArgumentsOf<T>;
  readonly command: Command;
}

type Decide<T extends CommandType> = (state: MeterState, about: About<T>) => Decision;

const DECIDE: { readonly [T in CommandType]: Decide<T> } = {
  'tariff.set': (state, { args: { plan, windows, from }, now }) => {
    const today = dayAt(now);
    const day = numberOfDay(from);
    if (day === undefined || day > today.ordinal + TARIFF_AHEAD_DAYS_MAX) return 'arguments';
    // The last word holds: whatever was to come is void with it.
    return day <= today.ordinal
      ? step({ ...state, tariff: { plan, windows }, nextTariff: null }, { notices: ['tariff-changed'] })
      : step({ ...state, nextTariff: { plan, windows, from } });
  },

  'prepayment.activate': (state, { args, now, installation }) => {
    const own = meterOn(installation, 0);
    if (own?.switchable !== true || (own.medium !== 'electricity' && own.medium !== 'gas'))
      return 'unsupported';
    if (state.prepayment !== null) return 'prepaid';
    return step({
      ...state,
      prepayment: { ...args, balanceCents: args.startCreditCents, asOf: now },
      screen: 0,
    });
  },

  'prepayment.deactivate': (state) =>
    state.prepayment === null ? 'not-prepaid' : step({ ...state, prepayment: null, screen: 0 }),

  'prepayment.balance': (state, { args: { balanceCents, asOf }, now }) => {
    const { prepayment } = state;
    if (prepayment === null) return 'not-prepaid';
    // A balance of the past would undo a top-up; one of the future would outlast what follows it.
    if (asOf < prepayment.asOf || asOf > now + AHEAD_SECONDS_MAX) return 'arguments';
    return step(
      { ...state, prepayment: { ...prepayment, balanceCents, asOf } },
      { notices: creditNotices(prepayment, balanceCents) },
    );
  },

  'breaker.open': (state, { args: { cause }, now, installation }) => {
    if (state.breaker === null || !hasBreaker(installation)) return 'unsupported';
    if (cause === 'credit') {
      const code = creditCutFault(state, now, installation);
      if (code !== undefined) return code;
    }
    const breaker = { ...cut(state.breaker, cause), restUntil: null };
    return step({ ...state, breaker, overSince: null }, { action: { kind: 'breaker', position: 0 } });
  },

  'breaker.arm': (state, { args: { cause }, installation }) => {
    if (state.breaker === null || !hasBreaker(installation)) return 'unsupported';
    if (!maySayGo(state.breaker, cause)) return 'arguments';
    if (state.breaker.position !== 0) return step(state);
    const breaker = { ...arm(state.breaker), restUntil: null };
    return step(
      { ...state, breaker },
      { action: { kind: 'breaker', position: breaker.position }, notices: ['armed'] },
    );
  },

  'valve.close': (state, { args: { channel, cause }, now, installation }) => {
    const valve = valveOn(state, channel);
    if (valve === undefined || !hasValve(installation, channel)) return 'unsupported';
    if (cause === 'credit') {
      const code =
        channel === 0
          ? creditCutFault(state, now, installation)
          : isProtected(installation, now)
            ? 'protected'
            : undefined;
      if (code !== undefined) return code;
    }
    return step(withValve(state, { ...cut(valve, cause), testing: false }), {
      action: { kind: 'valve', channel, position: 0 },
    });
  },

  'valve.arm': (state, { args: { channel, cause }, installation }) => {
    const valve = valveOn(state, channel);
    if (valve === undefined || !hasValve(installation, channel)) return 'unsupported';
    if (!maySayGo(valve, cause)) return 'arguments';
    if (valve.position !== 0) return step(state);
    return step(withValve(state, arm(valve)), {
      action: { kind: 'valve', channel, position: 2 },
      notices: ['armed'],
    });
  },

  'limiter.set': (state, { args: { powerW }, installation }) => {
    if (!hasBreaker(installation)) return 'unsupported';
    return step({ ...state, limiterW: powerW, overSince: null }, { action: { kind: 'limiter', powerW } });
  },

  'airplane.on': (state, { now, command }) => {
    if (state.prepayment !== null) return 'prepaid';
    // IMPACT is billed by quarter-hours, which would not come any more.
    if (state.tariff.plan === 'impact' || state.nextTariff?.plan === 'impact') return 'arguments';
    return step({ ...state, airplane: { since: now, command: command.id, acknowledged: false } });
  },

  'p1.set': (state, { args: { on } }) => step({ ...state, port: on }, { action: { kind: 'port', on } }),

  'read.now': (state, { args: { registers }, command, installation }) => {
    const reads = channelsToRead(registers.map(channelOf), command.tenant, installation);
    if (typeof reads === 'string') return reads;
    // One channel is asked beforehand; of several some answer, and what is missing is missing.
    const [only] = reads;
    return step(state, {
      reads: { channels: reads, registers },
      ...(reads.length === 1 && only !== 0 ? { action: { kind: 'reach', channel: only! } } : {}),
    });
  },

  'display.message': (state, { args: { text, until }, now }) => {
    if (text === '') return step({ ...state, message: null });
    if (until <= now || until > now + MESSAGE_AHEAD_SECONDS_MAX) return 'arguments';
    return step({ ...state, message: { text, until } });
  },

  'clock.sync': (state, { args: { time }, command, clockFloor }) => {
    const aheadMs = Math.abs(command.counter - time * 1_000);
    if (aheadMs > AHEAD_SECONDS_MAX * 1_000 || time < clockFloor) return 'arguments';
    return step(state, { action: { kind: 'clock', time } });
  },

  'credential.renew': (state, { args: { key } }) => step(state, { action: { kind: 'credential', key } }),
};

/** @returns where the command leads to, or why the meter will not */
export function decide(state: MeterState, command: Command, about: Circumstances): Decision {
  // The row of the type read these arguments.
  const row = DECIDE[command.type] as Decide<CommandType>;
  return row(state, { ...about, args: command.arguments as ArgumentsOf<CommandType>, command });
}

/** What a new balance tells the person in the house: said when a line is crossed, not with each balance. */
function creditNotices(before: Prepayment, balanceCents: number) {
  const { balanceCents: last, lowCreditAlertCents: alert } = before;
  if (balanceCents < 0 && last >= 0) return ['emergency-credit'] as const;
  if (balanceCents <= alert && last > alert) return ['low-credit'] as const;
  return [];
}

/**
 * Why an order to cut for credit is none that the rules allow. The platform decides, two people sign; the meter
 * refuses what cannot be meant: somebody who is not prepaid, not at the end of his emergency credit, already
 * limited instead, or in the non-disconnection period.
 */
function creditCutFault(state: MeterState, now: number, installation: Installation): ResultCode | undefined {
  const { prepayment, limiterW } = state;
  if (prepayment === null) return 'not-prepaid';
  if (isProtected(installation, now)) return 'protected';
  if (limiterW !== null || prepayment.balanceCents > -prepayment.emergencyCreditCents) return 'arguments';
  return undefined;
}

/** An order that gives back for credit does not lift a cut for anything else, such as safety. */
const maySayGo = (current: Switch, cause: SupplyCause): boolean =>
  cause !== 'credit' || current.causes.every((known) => known === 'credit');

function channelsToRead(
  named: readonly number[],
  tenant: TenantId,
  installation: Installation,
): readonly number[] | ResultCode {
  const own = installation.meters.filter(({ owner }) => owner === tenant).map(({ channel }) => channel);
  if (named.length === 0) return own.length === 0 ? 'owner' : own;
  const channels = [...new Set(named)].sort();
  if (channels.some((channel) => meterOn(installation, channel) === undefined)) return 'unsupported';
  return channels.every((channel) => own.includes(channel)) ? channels : 'owner';
}

/** Whether a command of the scope `channel` is about nothing but meters of its tenant. */
export function isOwnersCommand(command: Command, installation: Installation): boolean {
  const owns = (channel: number): boolean => {
    const meter = meterOn(installation, channel);
    // What is not there belongs to nobody: then `unsupported` says so.
    return meter === undefined || meter.owner === command.tenant;
  };
  if (command.type === 'valve.close' || command.type === 'valve.arm') return owns(command.arguments.channel);
  return command.type !== 'read.now' || command.arguments.registers.map(channelOf).every(owns);
}
