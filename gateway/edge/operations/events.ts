import { dayAt } from '../days/calendar.ts';
import { type Installation, needsLeakTest } from './installation.ts';
import {
  ARM_ABOVE_CENTS,
  LEAK_TEST_HOLD_MS,
  OVERLOAD_SECONDS,
  SILENCE_KEPT_SECONDS,
  SILENCES_MAX,
  TRIP_REST_SECONDS,
} from './limits.ts';
import { arm, isCutForCredit, type MeterState, type Silence, valveOn, withValve } from './state.ts';
import { type Step, step } from './step.ts';
import { SCREENS } from './view.ts';

/** What happens at a meter without a command: people, load, power. And the rules that need neither. */

export type MeterEvent =
  /** The button of the breaker (0) or of a valve's channel: it closes what is armed. */
  | { readonly kind: 'button'; readonly channel: number; readonly heldMs: number }
  /** The button of the display: the next screen. */
  | { readonly kind: 'next-screen' }
  /** Somebody at the meter ends airplane mode. */
  | { readonly kind: 'end-airplane' }
  /** Somebody at the meter changes the balance at which it alerts. */
  | { readonly kind: 'set-alert'; readonly cents: number }
  /** The mean power that is taken, each second or so. */
  | { readonly kind: 'load'; readonly powerW: number }
  | { readonly kind: 'leak-tested'; readonly channel: number; readonly tight: boolean }
  /** Power is back, as far as one valve is concerned. A breaker stays where it is by itself. */
  | { readonly kind: 'power-restored'; readonly channel: number };

interface Where {
  readonly now: number;
  readonly installation: Installation;
}

type Take<K extends MeterEvent['kind']> = (
  state: MeterState,
  event: Extract<MeterEvent, { kind: K }>,
  where: Where,
) => Step | undefined;

/** The most that a customer may ask to be warned at, as in the table of commands. */
const ALERT_CENTS_MAX = 5_000;

const TAKE: { readonly [K in MeterEvent['kind']]: Take<K> } = {
  button: (state, { channel, heldMs }, { installation }) => {
    const valve = valveOn(state, channel);
    if (valve === undefined) {
      const { breaker } = state;
      if (channel !== 0 || breaker?.position !== 2) return undefined;
      return step(
        { ...state, breaker: { ...breaker, position: 1 }, overSince: null },
        { action: { kind: 'breaker', position: 1 }, notices: ['supply-closed'] },
      );
    }
    if (valve.position !== 2 || valve.testing) return undefined;
    if (!needsLeakTest(installation, channel))
      return step(withValve(state, { ...valve, position: 1 }), {
        action: { kind: 'valve', channel, position: 1 },
        notices: ['supply-closed'],
      });
    if (heldMs < LEAK_TEST_HOLD_MS) return undefined;
    return step(withValve(state, { ...valve, testing: true }), { action: { kind: 'leak-test', channel } });
  },

  'next-screen': (state) =>
    state.prepayment === null ? undefined : step({ ...state, screen: (state.screen + 1) % SCREENS.length }),

  'end-airplane': (state, _, { now }) => {
    const { airplane } = state;
    if (airplane === null) return undefined;
    // A clock that was set back meanwhile must not make a time that ends before it began. The second in which it
    // ended is of it still.
    const until = Math.max(now, airplane.since) + 1;
    return step(
      { ...state, airplane: null, silences: joined(state.silences, { since: airplane.since, until }, now) },
      { notices: ['airplane-ended'] },
    );
  },

  'set-alert': (state, { cents }) => {
    if (state.prepayment === null || !Number.isSafeInteger(cents) || cents < 0 || cents > ALERT_CENTS_MAX)
      return undefined;
    return step({ ...state, prepayment: { ...state.prepayment, lowCreditAlertCents: cents } });
  },

  load: (state, { powerW }, { now }) => {
    const { breaker, limiterW, overSince } = state;
    if (limiterW === null || breaker?.position !== 1 || powerW <= limiterW)
      return overSince === null ? undefined : step({ ...state, overSince: null });
    // A clock that went back begins anew.
    if (overSince === null || now < overSince) return step({ ...state, overSince: now });
    if (now - overSince < OVERLOAD_SECONDS) return undefined;
    return step(
      {
        ...state,
        breaker: { ...breaker, position: 0, restUntil: now + TRIP_REST_SECONDS },
        overSince: null,
      },
      { action: { kind: 'breaker', position: 0 }, notices: ['limiter-tripped'] },
    );
  },

  'leak-tested': (state, { channel, tight }) => {
    const valve = valveOn(state, channel);
    // A test that nobody waits for any more: the valve was closed meanwhile.
    if (valve?.testing !== true) return undefined;
    if (!tight)
      return step(withValve(state, { ...valve, position: 2, testing: false }), {
        action: { kind: 'valve', channel, position: 2 },
        notices: ['leak'],
      });
    return step(withValve(state, { ...valve, position: 1, testing: false }), {
      action: { kind: 'valve', channel, position: 1 },
      notices: ['supply-closed'],
    });
  },

  'power-restored': (state, { channel }, { installation }) => {
    const valve = valveOn(state, channel);
    if (valve === undefined || !needsLeakTest(installation, channel)) return undefined;
    if (valve.position !== 1 && !valve.testing) return undefined;
    // Appliances that burned when the power failed may stand open: gas comes back by itself, once it is tight.
    return step(withValve(state, { ...valve, position: 2, testing: true }), {
      action: { kind: 'leak-test', channel },
    });
  },
};

/** Where an event leads to; undefined where it changes nothing. */
export function happen(state: MeterState, event: MeterEvent, where: Where): Step | undefined {
  return (TAKE[event.kind] as Take<MeterEvent['kind']>)(state, event, where);
}

/** What a meter does by itself: each rule is asked after every event and with every tick. */
const RULES: readonly ((state: MeterState, where: Where) => Step | undefined)[] = [
  function tariffTakesEffect(state, { now }) {
    const { nextTariff } = state;
    if (nextTariff === null || dayAt(now).name < nextTariff.from) return undefined;
    const { plan, windows } = nextTariff;
    return step({ ...state, tariff: { plan, windows }, nextTariff: null }, { notices: ['tariff-changed'] });
  },

  function messageEnds(state, { now }) {
    if (state.message === null || now < state.message.until) return undefined;
    return step({ ...state, message: null }, { notices: ['message-ended'] });
  },

  function creditArms(state) {
    // Back above 0.50 €, or out of prepayment: what was cut for credit, and for nothing else, may be closed again.
    if (state.prepayment !== null && state.prepayment.balanceCents <= ARM_ABOVE_CENTS) return undefined;
    const { breaker } = state;
    if (breaker !== null && isCutForCredit(breaker))
      return step(
        { ...state, breaker: { ...arm(breaker), restUntil: null } },
        { action: { kind: 'breaker', position: 2 }, notices: ['armed'] },
      );
    const valve = valveOn(state, 0);
    if (valve === undefined || !isCutForCredit(valve)) return undefined;
    return step(withValve(state, arm(valve)), {
      action: { kind: 'valve', channel: 0, position: 2 },
      notices: ['armed'],
    });
  },

  function tripRests(state, { now }) {
    const { breaker } = state;
    if (breaker === null || breaker.restUntil === null || breaker.causes.length > 0) return undefined;
    // Lifted limits give back at once, and a clock that was set back does not rest for years.
    const rests = now < breaker.restUntil && now >= breaker.restUntil - TRIP_REST_SECONDS;
    if (rests && state.limiterW !== null) return undefined;
    return step(
      { ...state, breaker: { ...arm(breaker), restUntil: null } },
      { action: { kind: 'breaker', position: 2 }, notices: ['armed'] },
    );
  },
];

export function rule(state: MeterState, where: Where): Step | undefined {
  for (const ask of RULES) {
    const found = ask(state, where);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Times of silence with one more; the oldest two become one where there are too many, so that none speaks. */
function joined(silences: readonly Silence[], last: Silence, now: number): readonly Silence[] {
  const kept = [...silences.filter(({ until }) => until > now - SILENCE_KEPT_SECONDS), last];
  if (kept.length <= SILENCES_MAX) return kept;
  const [first, second, ...rest] = kept;
  return [
    { since: Math.min(first!.since, second!.since), until: Math.max(first!.until, second!.until) },
    ...rest,
  ];
}
