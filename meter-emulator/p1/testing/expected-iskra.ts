import type { P1Channel } from '../../../gateway/edge/p1/telegram.ts';
import { failures } from './expected-dutch.ts';
import {
  amperes,
  common,
  emptyChannel,
  type Part,
  phasePowers,
  powers,
  rates,
  volts,
} from './expected-parts.ts';
import { letterless, peak, phasesOf, quantity, reading, time, VOLTAGES } from './quantities.ts';

const ireland: Part = (state) => ({
  ...common(state),
  meterTime: time(state.time),
  registers: rates(state, 6),
  instants: [...powers(state, 2), ...phasePowers(state, 2), ...volts(state), ...amperes(state, 0)],
  channels: [emptyChannel],
});
const wallonia: Part = (state) => ({ ...ireland(state), meterTime: letterless(state.time) });

export const EXPECTED_ISKRA = {
  ireland,
  'wallonia-iskra': wallonia,
  'wallonia-iskra-2.1.1': (state) => {
    const { powerW, time: at } = state.monthPeak;
    return {
      ...wallonia(state),
      version: '21110',
      monthPeak: { ...peak(powerW, at, null), time: at && letterless(at) },
    };
  },
  'slovenia-iskra': (state) => ({
    ...common(state),
    ...failures(state),
    version: '50',
    breaker: null,
    meterTime: time(state.time),
    registers: rates(state, 6),
    instants: [
      ...powers(state, 3),
      ...phasesOf(state.phases, VOLTAGES, (code, { voltageDeciV }) =>
        quantity(code, voltageDeciV * 10, 3, 2, 'V'),
      ),
      ...amperes(state, 2),
      ...phasePowers(state, 3),
    ],
    channels: [1, 2, 3, 4].map(
      (channel): P1Channel => ({
        ...emptyChannel,
        channel,
        readings: [
          {
            ...reading(`0-${channel}:24.2.1`, 0, 1, 0, 'm3', null),
            unit: null,
            printedUnit: '',
            placeholder: false,
          },
        ],
      }),
    ),
  }),
} as const satisfies Readonly<Record<string, Part>>;
