import type { P1Quantity } from '../../../gateway/edge/p1/telegram.ts';
import type { ObisCode } from '../../../protocol/reading.ts';
import { failures } from './expected-dutch.ts';
import {
  above,
  active,
  amperes,
  common,
  emptyChannel,
  exported,
  imported,
  type Part,
  phasePowers,
  phaseVars,
  powers,
  quadrant,
  rates,
  reactive,
  text,
  volts,
  wholeAmperes,
  withRates,
} from './expected-parts.ts';
import { letterless, messageOf, peak, quantity, reading, time } from './quantities.ts';

const apparent = (activeW: number, reactiveVar: number): number =>
  Math.round(Math.sqrt(activeW ** 2 + reactiveVar ** 2));

const lithuania: Part = (state) => {
  const imports = active(state) >= 0;
  const powerVa = apparent(active(state), reactive(state));
  return {
    meterTime: time(state.time),
    serial: state.serial,
    text: text(state),
    registers: [
      ...withRates(state),
      quantity('1-0:3.8.0', quadrant(state, 1) + quadrant(state, 2), 6, 3, 'kvarh'),
      quantity('1-0:4.8.0', quadrant(state, 3) + quadrant(state, 4), 6, 3, 'kvarh'),
    ],
    instants: [
      ...powers(state, 2),
      quantity('1-0:3.7.0', above(reactive(state)), 2, 3, 'kvar'),
      quantity('1-0:4.7.0', above(-reactive(state)), 2, 3, 'kvar'),
      ...phasePowers(state, 2),
      ...phaseVars(state, 2, 'kvar'),
      ...volts(state),
      ...amperes(state, 0),
      quantity('1-0:14.7.0', Math.floor(state.frequencyCentiHz! / 10), 2, 1, 'Hz'),
      quantity(
        '1-0:15.7.0',
        state.phases.reduce((sum, { importW, exportW }) => sum + importW + exportW, 0),
        2,
        3,
        'kW',
      ),
      quantity('1-0:9.7.0', imports ? powerVa : 0, 2, 3, 'kVA'),
      quantity('1-0:10.7.0', imports ? 0 : powerVa, 2, 3, 'kVA'),
      ...state.phases.map((one, index) =>
        quantity(
          `1-0:${33 + 20 * index}.7.0`,
          one.exportW > 0 ? -one.powerFactorMilli! : one.powerFactorMilli!,
          1,
          3,
          '',
        ),
      ),
      quantity('1-0:1.4.0', state.quarterPowerW, 6, 3, 'kW'),
    ],
    others: [
      ...state.phases.map((one, index) =>
        quantity(`1-0:${32 + 20 * index}.24.0`, one.voltageDeciV, 3, 1, 'V'),
      ),
      ...state.phases.map((one, index) =>
        quantity(
          `1-0:${29 + 20 * index}.7.0`,
          one.importW > 0 ? apparent(one.importW, one.reactiveVar!) : 0,
          2,
          3,
          'kVA',
        ),
      ),
      { obis: '1-0:0.8.2' as ObisCode, value: 900, scaler: 0, unit: 's', printedUnit: 's' },
      quantity('1-0:9.4.0', powerVa, 6, 3, 'kVA'),
      { obis: '1-0:32.33.0' as ObisCode, value: 512, scaler: 0, unit: 's', printedUnit: 's' },
      quantity('1-0:32.34.0', 0, 4, 0, 'V'),
      quantity('1-0:32.38.0', 256, 3, 0, 'V'),
    ],
    counters: [quantity('0-0:96.7.21', state.shortFailures, 5, 0, '')],
    unknown: ['1-0:0.2.0(02.21)', '1-0:0.2.8(1EA40000)', '1-1:0.2.0(03.02)', '1-1:0.2.8(24400000)'],
  };
};

const onChannelOne = ({ obis, ...rest }: P1Quantity): P1Quantity => ({
  ...rest,
  obis: obis.replace('1-0:', '1-1:') as ObisCode,
});

export const EXPECTED_ELSEWHERE = {
  lithuania,
  'sagemcom-xt211': (state) => {
    const { monthPeak, quarterPowerW } = state;
    return {
      ...common(state),
      ...failures(state),
      version: '12345',
      breaker: null,
      meterTime: time(state.time),
      registers: rates(state, 6).map(onChannelOne),
      instants: [
        ...powers(state, 2).map(onChannelOne),
        ...volts(state),
        ...amperes(state, 2),
        ...phasePowers(state, 2),
        quantity('1-0:1.4.0', quarterPowerW, 2, 3, 'kW'),
      ],
      messages: messageOf('0-0:96.13.1', state.messageCode ?? ''),
      monthPeak: { ...peak(monthPeak.powerW, monthPeak.time, null), obis: '1-1:1.6.0' as ObisCode },
    };
  },
  ace4000: (state) => {
    const gas = state.devices.filter(({ deviceType }) => deviceType === 3).at(-1);
    return {
      crc: 'absent',
      serial: state.serial,
      registers: [
        quantity('1-0:1.8.0', imported(state), 6, 3, 'kWh'),
        quantity('1-0:1.8.1', imported(state), 6, 3, 'kWh'),
        quantity('1-0:2.8.0', exported(state), 6, 3, 'kWh'),
        quantity('1-0:2.8.1', exported(state), 6, 3, 'kWh'),
      ],
      instants: [quantity('1-0:15.7.0', Math.abs(active(state)), 6, 0, 'W')],
      tariff: state.rate,
      limiter: quantity('0-0:17.0.0', wholeAmperes(state), 4, 0, 'A'),
      breaker: state.breaker,
      channels:
        gas?.time == null
          ? []
          : [
              {
                ...emptyChannel,
                channel: gas.channel,
                medium: 'gas',
                serial: gas.serial,
                valve: gas.valve,
                readings: [reading('7-0:23.1.0', gas.value, 5, 3, 'm3', letterless(gas.time))],
              },
            ],
    };
  },
} as const satisfies Readonly<Record<string, Part>>;
