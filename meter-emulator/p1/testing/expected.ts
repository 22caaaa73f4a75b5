import type { P1Channel, P1Quantity, P1Telegram } from '../../../gateway/edge/p1/telegram.ts';
import type { P1Dialect } from '../dialects.ts';
import type { P1DeviceState, P1MeterState } from '../state.ts';
import {
  CURRENTS,
  EXPORTS,
  IMPORTS,
  letterless,
  localDigits,
  messageOf,
  month,
  peak,
  phasesOf,
  printed,
  quantity,
  REACTIVE_EXPORTS,
  REACTIVE_IMPORTS,
  reading,
  time,
  timeOrNull,
  VOLTAGES,
} from './quantities.ts';

/**
 * What a reader must make of a state in each dialect: the whole telegram, every field of it. Written from the
 * documents a second time and in another form than the tables that print, so that a slip in one is a difference.
 */

type Part = (state: P1MeterState) => Partial<P1Telegram>;

const nothing: Omit<P1Telegram, 'header'> = {
  crc: 'valid',
  encryption: 'none',
  version: null,
  meterTime: null,
  clockInvalid: false,
  serial: null,
  ean: null,
  registers: [],
  instants: [],
  others: [],
  monthPeak: null,
  peaks: [],
  tariff: null,
  breaker: null,
  relays: [],
  limiter: null,
  fuses: [],
  gridVolts: null,
  counters: [],
  failures: [],
  text: null,
  messages: [],
  channels: [],
  unknown: [],
};

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const above = (value: number): number => Math.max(value, 0);

const rates = (state: P1MeterState, before: number): P1Quantity[] => [
  quantity('1-0:1.8.1', state.importWh[0], before, 3, 'kWh'),
  quantity('1-0:1.8.2', state.importWh[1], before, 3, 'kWh'),
  quantity('1-0:2.8.1', state.exportWh[0], before, 3, 'kWh'),
  quantity('1-0:2.8.2', state.exportWh[1], before, 3, 'kWh'),
];
const imported = (state: P1MeterState): number => sum([...state.importWh, ...(state.laterImportWh ?? [])]);
const exported = (state: P1MeterState): number => sum([...state.exportWh, ...(state.laterExportWh ?? [])]);
const active = (state: P1MeterState): number =>
  sum(state.phases.map(({ importW, exportW }) => importW - exportW));
const reactive = (state: P1MeterState): number => sum(state.phases.map(({ reactiveVar }) => reactiveVar!));
const quadrant = (state: P1MeterState, number: 1 | 2 | 3 | 4): number => state.reactiveVarh![number - 1]!;

const powers = (state: P1MeterState, before: number): P1Quantity[] => [
  quantity('1-0:1.7.0', above(active(state)), before, 3, 'kW'),
  quantity('1-0:2.7.0', above(-active(state)), before, 3, 'kW'),
];
const volts = ({ phases }: P1MeterState): P1Quantity[] =>
  phasesOf(phases, VOLTAGES, (code, { voltageDeciV }) => quantity(code, voltageDeciV, 3, 1, 'V'));
/** With 0, 1 or 2 decimals; what is finer is cut off. */
const amperes = ({ phases }: P1MeterState, behind: 0 | 1 | 2): P1Quantity[] =>
  phasesOf(phases, CURRENTS, (code, { currentCentiA }) =>
    quantity(code, Math.floor(currentCentiA / 10 ** (2 - behind)), 3, behind, 'A'),
  );
const phasePowers = ({ phases }: P1MeterState, before: number): P1Quantity[] => [
  ...phasesOf(phases, IMPORTS, (code, { importW }) => quantity(code, importW, before, 3, 'kW')),
  ...phasesOf(phases, EXPORTS, (code, { exportW }) => quantity(code, exportW, before, 3, 'kW')),
];
const phaseVars = ({ phases }: P1MeterState, before: number, unit: string): P1Quantity[] => [
  ...phasesOf(phases, REACTIVE_IMPORTS, (code, { reactiveVar }) =>
    quantity(code, above(reactiveVar!), before, 3, unit),
  ),
  ...phasesOf(phases, REACTIVE_EXPORTS, (code, { reactiveVar }) =>
    quantity(code, above(-reactiveVar!), before, 3, unit),
  ),
];

const text = ({ message }: P1MeterState): string | null => (message === '' ? null : message);
const common: Part = (state) => ({
  serial: state.serial,
  tariff: state.rate,
  breaker: state.breaker,
  text: text(state),
});

const MEDIA = { 3: 'gas', 4: 'heat', 7: 'water' } as const;
const device = (
  { channel, deviceType, serial, ean, valve, value, time: captured }: P1DeviceState,
  code: string,
  hasEan: boolean,
): P1Channel => ({
  channel,
  deviceType,
  medium: MEDIA[deviceType],
  serial,
  ean: hasEan ? ean : null,
  valve,
  readings: [
    reading(`0-${channel}:${code}`, value, 5, 3, deviceType === 4 ? 'GJ' : 'm3', timeOrNull(captured)),
  ],
});
const dutchDevices = ({ devices, slaves = [] }: P1MeterState): P1Channel[] => [
  ...devices.map((one) => device(one, '24.2.1', false)),
  ...slaves.map(
    ({ channel, serial, energyWh, time: captured }): P1Channel => ({
      channel,
      deviceType: 2,
      medium: 'electricity',
      serial,
      ean: null,
      valve: null,
      readings: [reading(`0-${channel}:24.2.1`, energyWh, 6, 3, 'kWh', time(captured))],
    }),
  ),
];
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
const belgianDevices = (state: P1MeterState, hasEan: boolean): P1Channel[] =>
  state.devices.map((one) => device(one, one.deviceType === 3 ? '24.2.3' : '24.2.1', hasEan));
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
const wholeAmperes = ({ fuseCentiA }: P1MeterState): number =>
  fuseCentiA === null ? 999 : Math.floor(fuseCentiA / 100);
const tenths = ({ limiterW }: P1MeterState, unit = 'kW'): P1Quantity =>
  quantity('0-0:17.0.0', limiterW === null ? 9_999 : Math.floor(limiterW / 100), 3, 1, unit);

const failures: Part = ({ phases, shortFailures, longFailures }) => ({
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

const dutch4 =
  (version: string): Part =>
  (state) => ({
    ...common(state),
    ...failures(state),
    version,
    meterTime: time(state.time),
    registers: rates(state, 6),
    instants: [...powers(state, 2), ...amperes(state, 0), ...phasePowers(state, 2)],
    limiter: tenths(state),
    messages: messageOf('0-0:96.13.1', state.messageCode ?? ''),
    channels: dutchDevices(state),
  });
const dutch5: Part = (state) => ({
  ...common(state),
  ...failures(state),
  version: '50',
  meterTime: time(state.time),
  breaker: null,
  registers: rates(state, 6),
  instants: [...powers(state, 2), ...volts(state), ...amperes(state, 0), ...phasePowers(state, 2)],
  channels: dutchDevices(state),
});

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

const hungary: Part = (state) => {
  const energies = (code: string, values: readonly number[]): P1Quantity[] =>
    values.map((value, rate) => quantity(`1-0:${code}.8.${rate}`, value, 6, 3, 'kWh'));
  const running = active(state) >= 0 ? (reactive(state) >= 0 ? 5 : 8) : reactive(state) >= 0 ? 6 : 7;
  const taken = quadrant(state, 1) + quadrant(state, 2);
  const given = quadrant(state, 3) + quadrant(state, 4);
  const { monthEnd, powerW } = state.closedPeaks.at(-1)!;
  const closing = [
    ...[imported(state), exported(state)].map((value) => `(${printed(value, 6, 3)}*kWh)`),
    ...[taken, given].map((value) => `(${printed(value, 6, 3)}*kvarh)`),
  ].join('');
  const letter = monthEnd.offsetMinutes === 120 ? 'S' : 'W';
  return {
    ...common(state),
    meterTime: time(state.time),
    limiter: quantity('0-0:17.0.0', state.limiterW ?? 99_999, 2, 3, 'kW'),
    registers: [
      ...energies('1', [imported(state), ...state.importWh, ...state.laterImportWh!]),
      ...energies('2', [exported(state), ...state.exportWh, ...state.laterExportWh!]),
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
    unknown: [`0-0:98.1.0(${localDigits(monthEnd)}${letter})${closing}(${printed(powerW, 2, 3)}*kW)`],
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

const fine = (state: P1MeterState, before: number, behind: number): P1Quantity[] => [
  quantity('1-0:1.8.0', imported(state) * 10 ** (behind - 3), before, behind, 'kWh'),
  quantity('1-0:2.8.0', exported(state) * 10 ** (behind - 3), before, behind, 'kWh'),
];
const signed = ({ phases }: P1MeterState, codes: readonly string[]): P1Quantity[] =>
  phasesOf(phases, codes, (code, { importW, exportW }) =>
    quantity(code, (importW - exportW) * 100, 6, 2, 'W'),
  );
const easymeter: Part = (state) => ({
  crc: 'absent',
  serial: `1ESY${state.serial}`,
  registers: fine(state, 8, 7),
  instants: [...signed(state, IMPORTS), quantity('1-0:1.7.0', active(state) * 100, 6, 2, 'W')],
  unknown: ['1-0:96.5.5*255(80)'],
});
const ebz: Part = (state) => ({
  crc: 'absent',
  serial: state.serial,
  registers: fine(state, 6, 8),
  instants: [quantity('1-0:16.7.0', active(state) * 100, 6, 2, 'W')],
  others: signed(state, ['1-0:36.7.0', '1-0:56.7.0', '1-0:76.7.0']),
  unknown: ['1-0:96.5.0*255(001C0104)', '0-0:96.8.0*255(02FAB8BF)'],
});
const iskra: Part = (state) => ({
  crc: 'absent',
  serial: state.serial,
  registers: fine(state, 7, 3),
  unknown: [
    `1-0:0.9.2*255(0${localDigits(state.time).slice(0, 6)})`,
    `1-0:0.9.1*255(${localDigits(state.time).slice(6)})`,
    '0-0:97.97.0*255(00000000)',
  ],
});

const EXPECTED: Readonly<Record<P1Dialect, Part>> = {
  'emucs-1.3': first,
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
  'dsmr-2.2': old(kilowatts),
  'dsmr-2.2-iskra': old(kilowatts),
  'dsmr-3.0': old((state) => quantity('0-0:17.0.0', wholeAmperes(state), 3, 0, 'A')),
  'dsmr-4.0': dutch4('40'),
  'dsmr-4.2': dutch4('42'),
  'dsmr-5.0': dutch5,
  'esmr-5.0': (state) => ({
    ...dutch5(state),
    channels: [
      ...dutchDevices(state),
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
  luxembourg,
  austria,
  sweden: sweden('kvarh', 'kvar'),
  'sweden-aidon': sweden('kVArh', 'kVAr'),
  hungary,
  'heat-nl': heat,
  'easymeter-q3d': easymeter,
  'ebz-dd3': ebz,
  'iskra-mt174': iskra,
};

export function expectedTelegram(dialect: P1Dialect, state: P1MeterState): P1Telegram {
  return { ...nothing, header: state.header, ...EXPECTED[dialect](state) };
}
