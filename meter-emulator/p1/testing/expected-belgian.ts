import type { P1Channel } from '../../../gateway/edge/p1/telegram.ts';
import type { P1MeterState } from '../state.ts';
import {
  amperes,
  common,
  device,
  type Part,
  phasePowers,
  powers,
  rates,
  tenths,
  volts,
  wholeAmperes,
} from './expected-parts.ts';
import { month, peak, quantity, time } from './quantities.ts';

const belgianDevices = (state: P1MeterState, hasEan: boolean): P1Channel[] =>
  state.devices.map((one) => device(one, one.deviceType === 3 ? '24.2.3' : '24.2.1', hasEan));
const belgian =
  (version: string): Part =>
  (state) => ({
    ...common(state),
    version,
    meterTime: time(state.time),
    registers: rates(state, 6),
    instants: [...powers(state, 2), ...phasePowers(state, 2), ...volts(state), ...amperes(state, 2)],
    limiter: tenths(state),
    fuses: [quantity('1-0:31.4.0', wholeAmperes(state), 3, 0, 'A')],
    channels: belgianDevices(state, false),
  });
const first: Part = (state) => ({
  ...belgian('50213')(state),
  instants: [...powers(state, 2), ...volts(state), ...amperes(state, 0)],
});
const withPeaks =
  (version: string): Part =>
  (state) => {
    const base = belgian(version)(state);
    const { monthPeak, closedPeaks, quarterPowerW } = state;
    return {
      ...base,
      instants: [quantity('1-0:1.4.0', quarterPowerW, 2, 3, 'kW'), ...base.instants!],
      monthPeak: peak(monthPeak.powerW, monthPeak.time, null),
      peaks: closedPeaks.map(({ powerW, time: at, monthEnd }) => peak(powerW, at, month(monthEnd, 1))),
    };
  };

export const EXPECTED_BELGIAN = {
  'emucs-1.3': first,
  'emucs-1.3-starless': first,
  'emucs-1.5': belgian('50215'),
  'emucs-1.6': belgian('50216'),
  'emucs-1.7.1': withPeaks('50217'),
  'emucs-2.1.1': (state) => ({
    ...withPeaks('50221')(state),
    ean: state.ean,
    gridVolts: state.gridVolts,
    limiter: quantity('0-0:17.0.0', state.limiterW ?? 99_999, 2, 3, 'kW'),
    fuses: [quantity('1-0:31.4.0', state.fuseCentiA ?? 99_999, 3, 2, 'A')],
    relays: state.relays.map((position, index) => ({ relay: index + 1, state: position })),
    channels: belgianDevices(state, true),
  }),
} as const satisfies Readonly<Record<string, Part>>;
