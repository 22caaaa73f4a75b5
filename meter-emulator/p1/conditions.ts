import type { MeterView } from '../../gateway/edge/operations/view.ts';
import type { P1MeterState } from './state.ts';

/** Laid over what the household counts: what operators and the people on site change about a meter. */
export type MeterConditions = Partial<
  Pick<P1MeterState, 'breaker' | 'limiterW' | 'message' | 'relays' | 'rate'>
> & {
  /** By M-Bus channel; one that is not named keeps what it has. */
  readonly valves?: readonly { readonly channel: number; readonly position: 0 | 1 | 2 }[];
  /** A closed customer port says nothing. */
  readonly port?: boolean;
};

export function withConditions(
  state: P1MeterState,
  { valves, port, ...over }: MeterConditions,
): P1MeterState {
  const laid = { ...state, ...over };
  // Nothing flows through a switch that is not closed. What the registers count stays the household's.
  const phases = laid.breaker === 0 || laid.breaker === 2 ? state.phases.map(unsupplied) : state.phases;
  if (valves === undefined || valves.length === 0) return { ...laid, phases };
  const devices = state.devices.map((device) => {
    const valve = valves.find(({ channel }) => channel === device.channel);
    return valve === undefined ? device : { ...device, valve: valve.position };
  });
  return { ...laid, phases, devices };
}

const unsupplied = (phase: P1MeterState['phases'][number]): P1MeterState['phases'][number] => ({
  ...phase,
  currentCentiA: 0,
  importW: 0,
  exportW: 0,
});

/** What a meter under command prints at its customer port. */
export function conditionsOf({ breaker, valves, limiterW, message, rate, port }: MeterView): MeterConditions {
  return { breaker, valves, limiterW, message, rate, port };
}
