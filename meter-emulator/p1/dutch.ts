import {
  breaker,
  clock,
  END,
  energies,
  energiesOf,
  fixed,
  hexLine,
  limiterTenths,
  message,
  meterSerial,
  phaseExports,
  phaseImports,
  powers,
  rate,
  sagsAndSwells,
  voltages,
  wholeCurrents,
} from './lines.ts';
import {
  type DeviceStyle,
  DUTCH_DEVICES,
  devices,
  emptyChannels,
  legacyDevices,
  slaves,
} from './mbus-lines.ts';
import { netW } from './reactive.ts';
import { dialect, type Line } from './row.ts';

/** The old meters know hundredths of a kW. */
const DEKAWATT = 10;

const coarsePowers =
  (places: number): Line =>
  (out, state) => {
    const net = netW(state);
    const print = (code: string, powerW: number): void => {
      out
        .text(code)
        .number(Math.floor(powerW / DEKAWATT), places, 2)
        .text('*kW)\r\n');
    };
    print('1-0:1.7.0(', Math.max(net, 0));
    print('1-0:2.7.0(', Math.max(-net, 0));
  };

/** 2.2 limits power, `0999.00*kW` is no limit; 3.0 limits current, `999*A` is none. */
const limiterKilowatts: Line = (out, { limiterW }) => {
  const hundredths = limiterW === null ? 99_900 : Math.floor(limiterW / DEKAWATT);
  out.text('0-0:17.0.0(').number(hundredths, 4, 2).text('*kW)\r\n');
};
const limiterAmperes: Line = (out, { fuseCentiA }) => {
  const amperes = fuseCentiA === null ? 999 : Math.floor(fuseCentiA / 100);
  out.text('0-0:17.0.0(').number(amperes, 3).text('*A)\r\n');
};

const messageCode = hexLine('0-0:96.13.1(', (state) => state.messageCode ?? '');

/** `1-0:99.97.0`; the document of 4.0 has a colon for the dot, and a code without its medium. */
const failuresOf =
  (head: string): Line =>
  (out, { shortFailures, longFailures }) => {
    out.text('0-0:96.7.21(').number(shortFailures, 5).text(END);
    out.text('0-0:96.7.9(').number(longFailures.length, 5).text(END);
    out.text(head).text(`(${longFailures.length})`);
    out.text(head === COLON_LOG ? '(0:96.7.19)' : '(0-0:96.7.19)');
    for (const { end, durationSeconds } of longFailures)
      out.text('(').time(end).text(')(').number(durationSeconds, 10).text('*s)');
    out.text('\r\n');
  };
const COLON_LOG = '1-0:99:97.0';
const failures = failuresOf('1-0:99.97.0');

const oldHead = (powerPlaces: number, limiter: Line): readonly Line[] => [
  meterSerial,
  energiesOf(5),
  rate,
  coarsePowers(powerPlaces),
  limiter,
  breaker,
  messageCode,
  message,
];

const version4 = (
  version: string,
  failureLog: Line,
  switches: readonly Line[],
  mBus: DeviceStyle,
): readonly Line[] => [
  fixed(version),
  clock,
  meterSerial,
  energies,
  rate,
  powers,
  ...switches,
  failureLog,
  sagsAndSwells,
  messageCode,
  message,
  wholeCurrents,
  phaseImports,
  phaseExports,
  devices(mBus),
  slaves,
];

/** Since 4.2 no port says how limiter, breaker and valves stand. */
const VALVELESS: DeviceStyle = { ...DUTCH_DEVICES, valve: 'none' };

const version5 = [
  fixed('1-3:0.2.8(50)\r\n'),
  clock,
  meterSerial,
  energies,
  rate,
  powers,
  failures,
  sagsAndSwells,
  message,
  voltages,
  wholeCurrents,
  phaseImports,
  phaseExports,
  devices(VALVELESS),
  slaves,
];

/** A channel that was prepared for a heat meter and never got one. */
const unused = (channel: number): string => `0-${channel}:24.1.0(012)\r\n0-${channel}:96.1.0()\r\n`;

/** Before version 4: every ten seconds, slowly, without clock and CRC. */
const OLD_PORT = { line: '9600 7E1', periodSeconds: 10, ends: 'bang' } as const;

export const DUTCH = {
  'dsmr-2.2': dialect({
    ...OLD_PORT,
    after: 'P1 Companion Standard 2.2',
    header: 'KMP5 KA6SIM000000001',
    lines: [...oldHead(4, limiterKilowatts), legacyDevices(1, ({ valve }) => valve)],
  }),
  'dsmr-2.2-iskra': dialect({
    ...OLD_PORT,
    after: 'P1 Companion Standard 2.2, as an Iskra ME382 prints it: it never closes a telegram',
    header: 'ISk5\\2SIM382-2003',
    ends: 'nothing',
    lines: [...oldHead(4, limiterKilowatts), legacyDevices(2, ({ valve }) => valve)],
  }),
  'dsmr-3.0': dialect({
    ...OLD_PORT,
    after: 'P1 Companion Standard 3.0',
    header: 'ISk5\\2SIM382-1000',
    lines: [...oldHead(3, limiterAmperes), legacyDevices(2, ({ valve }) => valve)],
  }),
  'dsmr-4.0': dialect({
    after: 'P1 Companion Standard 4.0, with the colons of its example',
    header: 'KMP5 ZABFSIM0000001',
    periodSeconds: 10,
    lines: version4('1-3:0.2.8(40)\r\n', failuresOf(COLON_LOG), [limiterTenths, breaker], DUTCH_DEVICES),
  }),
  'dsmr-4.2': dialect({
    after: 'P1 Companion Standard 4.2.2 §6.12: limiter, breaker and valves are gone',
    header: 'KFM5KAIFA-SIMULATED',
    periodSeconds: 10,
    lines: version4('1-3:0.2.8(42)\r\n', failures, [], VALVELESS),
  }),
  'dsmr-5.0': dialect({
    after: 'P1 Companion Standard 5.0.2 §6.12',
    header: 'XMX5LGSIM0000000001',
    lines: version5,
  }),
  'esmr-5.0': dialect({
    after:
      'ESMR 5.0, as a Sagemcom T211 prints it: blanks in its first line, and channels on which nothing hangs',
    header: 'Ene5\\SIM211 ESMR 5.0',
    lines: [...version5, emptyChannels(unused, ({ devices, slaves = [] }) => [...devices, ...slaves])],
  }),
} as const;
