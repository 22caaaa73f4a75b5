import type { P1Channel, P1Quantity } from '../../../gateway/edge/p1/telegram.ts';
import type { P1MeterState } from '../state.ts';
import {
  above,
  active,
  amperes,
  common,
  device,
  dutchDevices,
  type Part,
  phasePowers,
  powers,
  rates,
  tenths,
  volts,
  wholeAmperes,
} from './expected-parts.ts';
import { letterless, messageOf, quantity, reading, time } from './quantities.ts';

const oldDevices = ({ devices }: P1MeterState): P1Channel[] =>
  devices.map((one) => {
    const { channel, deviceType, value, time: captured } = one;
    const moment = captured === null ? null : letterless(captured);
    const code = `0-${channel}:24.2.1`;
    return {
      ...device(one, '24.2.1', false),
      readings: [
        deviceType === 4
          ? reading(code, Math.floor(value / 10), 5, 2, 'GJ', moment)
          : reading(code, value, 5, 3, 'm3', moment),
      ],
    };
  });
const unused = (state: P1MeterState): number[] =>
  [1, 2, 3, 4].filter((channel) =>
    [...state.devices, ...(state.slaves ?? [])].every((one) => one.channel !== channel),
  );

const old =
  (limiter: (state: P1MeterState) => P1Quantity): Part =>
  (state) => ({
    ...common(state),
    crc: 'absent',
    registers: rates(state, 5),
    instants: [
      quantity('1-0:1.7.0', Math.floor(above(active(state)) / 10), 4, 2, 'kW'),
      quantity('1-0:2.7.0', Math.floor(above(-active(state)) / 10), 4, 2, 'kW'),
    ],
    limiter: limiter(state),
    messages: messageOf('0-0:96.13.1', state.messageCode ?? ''),
    channels: oldDevices(state),
  });
const kilowatts = ({ limiterW }: P1MeterState): P1Quantity =>
  quantity('0-0:17.0.0', limiterW === null ? 99_900 : Math.floor(limiterW / 10), 4, 2, 'kW');
export const failures: Part = ({ phases, shortFailures, longFailures }) => ({
  counters: [
    quantity('0-0:96.7.21', shortFailures, 5, 0, ''),
    quantity('0-0:96.7.9', longFailures.length, 5, 0, ''),
    ...phases.flatMap((_, index) => [
      quantity(`1-0:${32 + 20 * index}.32.0`, 0, 5, 0, ''),
      quantity(`1-0:${32 + 20 * index}.36.0`, 0, 5, 0, ''),
    ]),
  ],
  failures: longFailures.map(({ end, durationSeconds }) => ({ time: time(end), durationSeconds })),
});

const dutch40: Part = (state) => ({
  ...common(state),
  ...failures(state),
  version: '40',
  meterTime: time(state.time),
  registers: rates(state, 6),
  instants: [...powers(state, 2), ...amperes(state, 0), ...phasePowers(state, 2)],
  limiter: tenths(state),
  messages: messageOf('0-0:96.13.1', state.messageCode ?? ''),
  channels: dutchDevices(state),
});
const valveless = (state: P1MeterState): P1Channel[] =>
  dutchDevices(state).map((channel) => ({ ...channel, valve: null }));
const dutch42: Part = (state) => ({
  ...dutch40(state),
  version: '42',
  limiter: null,
  breaker: null,
  channels: valveless(state),
});
const dutch5: Part = (state) => ({
  ...common(state),
  ...failures(state),
  version: '50',
  meterTime: time(state.time),
  breaker: null,
  registers: rates(state, 6),
  instants: [...powers(state, 2), ...volts(state), ...amperes(state, 0), ...phasePowers(state, 2)],
  channels: valveless(state),
});

export const EXPECTED_DUTCH = {
  'dsmr-2.2': old(kilowatts),
  'dsmr-2.2-iskra': old(kilowatts),
  'dsmr-3.0': old((state) => quantity('0-0:17.0.0', wholeAmperes(state), 3, 0, 'A')),
  'dsmr-4.0': dutch40,
  'dsmr-4.2': dutch42,
  'dsmr-5.0': dutch5,
  'esmr-5.0': (state) => ({
    ...dutch5(state),
    channels: [
      ...valveless(state),
      ...unused(state).map(
        (channel): P1Channel => ({
          channel,
          deviceType: 12,
          medium: 'heat',
          serial: null,
          ean: null,
          valve: null,
          readings: [],
        }),
      ),
    ],
  }),
} as const satisfies Readonly<Record<string, Part>>;
