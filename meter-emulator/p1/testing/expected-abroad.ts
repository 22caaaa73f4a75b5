import type { P1Channel } from '../../../gateway/edge/p1/telegram.ts';
import type { P1ClosedPeakState, P1MeterState } from '../state.ts';
import {
  above,
  active,
  amperes,
  common,
  device,
  exported,
  imported,
  type Part,
  phasePowers,
  phaseVars,
  powers,
  quadrant,
  reactive,
  tenths,
  text,
  volts,
  wholeAmperes,
  withRates,
} from './expected-parts.ts';
import { localDigits, messageOf, printed, quantity, reading, time, timeOrNull } from './quantities.ts';

const luxembourg: Part = (state) => {
  const apparent = Math.round(Math.sqrt(active(state) ** 2 + reactive(state) ** 2));
  const fuse = wholeAmperes(state);
  return {
    encryption: 'verified',
    version: '42',
    meterTime: time(state.time),
    serial: state.serial,
    registers: [
      quantity('1-0:1.8.0', imported(state), 6, 3, 'kWh'),
      quantity('1-0:2.8.0', exported(state), 6, 3, 'kWh'),
      quantity('1-0:3.8.0', quadrant(state, 1) + quadrant(state, 2), 6, 3, 'kvarh'),
      quantity('1-0:4.8.0', quadrant(state, 3) + quadrant(state, 4), 6, 3, 'kvarh'),
    ],
    instants: [
      ...powers(state, 2),
      quantity('1-0:3.7.0', above(reactive(state)), 2, 3, 'kvar'),
      quantity('1-0:4.7.0', above(-reactive(state)), 2, 3, 'kvar'),
      quantity('1-0:9.7.0', active(state) >= 0 ? apparent : 0, 2, 3, 'kVA'),
      quantity('1-0:10.7.0', active(state) >= 0 ? 0 : apparent, 2, 3, 'kVA'),
      ...volts(state),
      ...amperes(state, 0),
      ...phasePowers(state, 2),
      ...phaseVars(state, 2, 'kvar'),
    ],
    limiter: tenths(state, 'kVA'),
    fuses: [quantity('1-1:31.4.0', fuse, 3, 0, 'A'), quantity('1-1:31.4.0', -fuse, 3, 0, 'A')],
    breaker: state.breaker,
    relays: state.relays.map((position, index) => ({ relay: index + 1, state: position })),
    counters: [
      quantity('0-0:96.7.21', state.shortFailures, 5, 0, ''),
      ...['32', '36'].flatMap((kind) =>
        state.phases.map((_, index) => quantity(`1-0:${32 + 20 * index}.${kind}.0`, 0, 5, 0, '')),
      ),
    ],
    text: text(state),
    messages: (state.moreMessages ?? []).flatMap((more, index) => messageOf(`0-0:96.13.${index + 2}`, more)),
    channels: [
      ...state.devices.map((one) => device(one, '24.2.1', false)),
      ...[1, 2, 3, 4]
        .filter((channel) => state.devices.every((one) => one.channel !== channel))
        .map(
          (channel): P1Channel => ({
            channel,
            deviceType: 3,
            medium: 'gas',
            serial: null,
            ean: null,
            valve: 1,
            readings: [
              {
                ...reading(`0-${channel}:24.2.1`, 0, 5, 3, 'm3', null),
                unit: null,
                printedUnit: '',
                scaler: -3,
              },
            ],
          }),
        ),
    ],
  };
};

const austria: Part = (state) => ({
  encryption: 'verified',
  version: '50',
  meterTime: time(state.time),
  registers: [
    quantity('1-0:1.8.0', imported(state), 9, 0, 'Wh'),
    quantity('1-0:1.8.1', state.importWh[0], 9, 0, 'Wh'),
    quantity('1-0:1.8.2', state.importWh[1], 9, 0, 'Wh'),
    quantity('1-0:2.8.0', exported(state), 9, 0, 'Wh'),
    quantity('1-0:2.8.1', state.exportWh[0], 9, 0, 'Wh'),
    quantity('1-0:2.8.2', state.exportWh[1], 9, 0, 'Wh'),
    quantity('1-0:3.8.0', quadrant(state, 1) + quadrant(state, 2), 9, 0, 'varh'),
    quantity('1-0:4.8.0', quadrant(state, 3) + quadrant(state, 4), 9, 0, 'varh'),
  ],
  instants: [
    quantity('1-0:1.7.0', above(active(state)), 9, 0, 'W'),
    quantity('1-0:2.7.0', above(-active(state)), 9, 0, 'W'),
    quantity('1-0:3.7.0', above(reactive(state)), 9, 0, 'var'),
    quantity('1-0:4.7.0', above(-reactive(state)), 9, 0, 'var'),
  ],
});

const sweden =
  (energy: string, power: string): Part =>
  (state) => ({
    meterTime: time(state.time),
    registers: [
      quantity('1-0:1.8.0', imported(state), 8, 3, 'kWh'),
      quantity('1-0:2.8.0', exported(state), 8, 3, 'kWh'),
      quantity('1-0:3.8.0', quadrant(state, 1) + quadrant(state, 2), 8, 3, energy),
      quantity('1-0:4.8.0', quadrant(state, 3) + quadrant(state, 4), 8, 3, energy),
    ],
    instants: [
      ...powers(state, 4),
      quantity('1-0:3.7.0', above(reactive(state)), 4, 3, power),
      quantity('1-0:4.7.0', above(-reactive(state)), 4, 3, power),
      ...phasePowers(state, 4),
      ...phaseVars(state, 4, power),
      ...volts(state),
      ...amperes(state, 1),
    ],
  });

const monthClose = (state: P1MeterState, { monthEnd, powerW }: P1ClosedPeakState): string => {
  const energies = [
    ...[imported(state), exported(state)].map((value) => `(${printed(value, 6, 3)}*kWh)`),
    ...[quadrant(state, 1) + quadrant(state, 2), quadrant(state, 3) + quadrant(state, 4)].map(
      (value) => `(${printed(value, 6, 3)}*kvarh)`,
    ),
  ];
  const letter = monthEnd.offsetMinutes === 120 ? 'S' : 'W';
  return `0-0:98.1.0(${localDigits(monthEnd)}${letter})${energies.join('')}(${printed(powerW, 2, 3)}*kW)`;
};

const hungary: Part = (state) => {
  const running = active(state) >= 0 ? (reactive(state) >= 0 ? 5 : 8) : reactive(state) >= 0 ? 6 : 7;
  const taken = quadrant(state, 1) + quadrant(state, 2);
  const given = quadrant(state, 3) + quadrant(state, 4);
  return {
    ...common(state),
    meterTime: time(state.time),
    limiter: quantity('0-0:17.0.0', state.limiterW ?? 99_999, 2, 3, 'kW'),
    registers: [
      ...withRates(state),
      quantity('1-0:3.8.0', taken, 6, 3, 'kvarh'),
      quantity('1-0:4.8.0', given, 6, 3, 'kvarh'),
      ...([1, 2, 3, 4] as const).map((number) =>
        quantity(`1-0:${4 + number}.8.0`, quadrant(state, number), 6, 3, 'kvarh'),
      ),
      quantity('1-0:15.8.0', imported(state) + exported(state), 6, 3, 'kWh'),
    ],
    instants: [
      ...volts(state),
      ...amperes(state, 0),
      quantity('1-0:13.7.0', Math.min(...state.phases.map((one) => one.powerFactorMilli!)), 1, 3, ''),
      ...state.phases.map((one, index) =>
        quantity(`1-0:${33 + 20 * index}.7.0`, one.powerFactorMilli!, 1, 3, ''),
      ),
      quantity('1-0:14.7.0', state.frequencyCentiHz!, 2, 2, 'Hz'),
      ...powers(state, 2),
      ...[5, 6, 7, 8].map((code) =>
        quantity(`1-0:${code}.7.0`, code === running ? Math.abs(reactive(state)) : 0, 2, 3, 'kvar'),
      ),
    ],
    fuses: state.phases.map((_, index) =>
      quantity(`1-0:${31 + 20 * index}.4.0`, state.fuseCentiA ?? 99_999, 3, 2, 'A'),
    ),
    unknown: state.closedPeaks.slice(-1).map((last) => monthClose(state, last)),
  };
};

const heat: Part = (state) => ({
  version: '50',
  meterTime: time(state.time),
  serial: state.serial,
  text: text(state),
  messages: messageOf('0-0:96.13.1', state.messageCode ?? ''),
  channels: state.devices.map((one) => ({
    ...device(one, '24.2.1', false),
    valve: null,
    readings: [reading(`0-${one.channel}:24.2.1`, one.value, 3, 3, 'GJ', timeOrNull(one.time))],
  })),
});

const holley: Part = (state) => ({
  ...common(state),
  breaker: null,
  meterTime: time(state.time),
  registers: withRates(state).filter(({ obis }) => /:(1\.8\.[012]|2\.8\.0)$/.test(obis)),
  instants: [...volts(state), ...amperes(state, 0), ...powers(state, 2)],
  unknown: state.closedPeaks.slice(-1).flatMap(({ monthEnd }) => {
    const printedTime = `${localDigits(monthEnd)}${monthEnd.offsetMinutes === 120 ? 'S' : 'W'}`;
    return [`0-0:1.0.0(${printedTime})`, `1-0:0.1.2(${printedTime})`];
  }),
});

export const EXPECTED_ABROAD = {
  'hungary-holley': holley,
  luxembourg,
  austria,
  sweden: sweden('kvarh', 'kvar'),
  'sweden-aidon': sweden('kVArh', 'kVAr'),
  hungary,
  'heat-nl': heat,
} as const satisfies Readonly<Record<string, Part>>;
