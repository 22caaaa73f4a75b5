import {
  breaker,
  clock,
  END,
  eachPhase,
  fixed,
  hexLine,
  message,
  phaseExports,
  phaseImports,
  powers,
  relays,
  voltages,
  wholeCurrents,
} from './lines.ts';
import { DUTCH_DEVICES, devices, emptyChannels } from './mbus-lines.ts';
import { exportTotalWh, importTotalWh, netVar, netW } from './reactive.ts';
import {
  apparentPowers,
  phaseReactiveExportsOf,
  phaseReactiveImportsOf,
  reactivePowersOf,
  reactiveTotals,
  reactiveTotalsOf,
  totalsOf,
} from './reactive-lines.ts';
import { dialect, type Line } from './row.ts';

/** Luxembourg limits apparent power, and prints tenths of a kVA. */
const limiter: Line = (out, { limiterW }) => {
  const tenths = limiterW === null ? 9999 : Math.floor(limiterW / 100);
  out.text('0-0:17.0.0(').number(tenths, 3, 1).text('*kVA)\r\n');
};

/** A second limit, for what is fed in: below zero. */
const fuses: Line = (out, { fuseCentiA }) => {
  const amperes = fuseCentiA === null ? 999 : Math.floor(fuseCentiA / 100);
  out.text('1-1:31.4.0(').number(amperes, 3).text('*A)(').signed(-amperes, 3).text('*A)\r\n');
};

/** Sags of all phases, then swells; Luxembourg counts no long failures. */
const shortFailures: Line = (out, state) => {
  out.text('0-0:96.7.21(').number(state.shortFailures, 5).text(END);
};
const sags = eachPhase(['1-0:32.32.0(', '1-0:52.32.0(', '1-0:72.32.0('], (out) => {
  out.text('00000)\r\n');
});
const swells = eachPhase(['1-0:32.36.0(', '1-0:52.36.0(', '1-0:72.36.0('], (out) => {
  out.text('00000)\r\n');
});

const moreMessages = [2, 3, 4, 5].map((number, index) =>
  hexLine(`0-0:96.13.${number}(`, ({ moreMessages = [] }) => moreMessages[index] ?? ''),
);

/** What never had a meter is a gas meter without a number that was never read, its unit left out. */
const unused = (channel: number): string =>
  `0-${channel}:24.1.0(003)\r\n0-${channel}:96.1.0()\r\n` +
  `0-${channel}:24.2.1(632525252525S)(00000.000)\r\n0-${channel}:24.4.0(1)\r\n`;

/** Whole watt-hours in nine places, as the Austrian Sagemcom counts: registers first, then power. */
const wholeWatts: Line = (out, state) => {
  const { importWh, exportWh } = state;
  const print = (code: string, value: number, unit: string): void => {
    out.text(code).number(value, 9).text(unit);
  };
  const active = netW(state);
  const reactive = netVar(state);
  const [taken, given] = reactiveTotals(state);
  print('1-0:1.8.0(', importTotalWh(state), '*Wh)\r\n');
  print('1-0:1.8.1(', importWh[0], '*Wh)\r\n');
  print('1-0:1.8.2(', importWh[1], '*Wh)\r\n');
  print('1-0:1.7.0(', Math.max(active, 0), '*W)\r\n');
  print('1-0:2.8.0(', exportTotalWh(state), '*Wh)\r\n');
  print('1-0:2.8.1(', exportWh[0], '*Wh)\r\n');
  print('1-0:2.8.2(', exportWh[1], '*Wh)\r\n');
  print('1-0:2.7.0(', Math.max(-active, 0), '*W)\r\n');
  print('1-0:3.8.0(', taken, '*varh)\r\n');
  print('1-0:3.7.0(', Math.max(reactive, 0), '*var)\r\n');
  print('1-0:4.8.0(', given, '*varh)\r\n');
  print('1-0:4.7.0(', Math.max(-reactive, 0), '*var)\r\n');
};

/** Ports that encrypt what they print. */
export const ENCRYPTED = {
  luxembourg: dialect({
    after: 'Luxembourg P1 1.1.3 (Smarty)',
    header: 'Lux5\\253SIM471_M',
    periodSeconds: 10,
    encrypted: true,
    lines: [
      fixed('1-3:0.2.8(42)\r\n'),
      clock,
      hexLine('0-0:42.0.0(', ({ serial }) => serial),
      totalsOf(6),
      reactiveTotalsOf(6, '*kvarh'),
      powers,
      reactivePowersOf(2, '*kvar'),
      limiter,
      apparentPowers,
      fuses,
      breaker,
      relays,
      shortFailures,
      sags,
      swells,
      message,
      ...moreMessages,
      voltages,
      wholeCurrents,
      phaseImports,
      phaseExports,
      phaseReactiveImportsOf(2, '*kvar'),
      phaseReactiveExportsOf(2, '*kvar'),
      devices({ ...DUTCH_DEVICES, valve: 'last' }),
      emptyChannels(unused, (state) => state.devices),
    ],
  }),
  austria: dialect({
    after: 'a Sagemcom T210-D of Styria: whole Wh, its authentication key its own',
    header: 'EST5\\253SIM000_A',
    periodSeconds: 5,
    encrypted: true,
    lines: [fixed('1-3:0.2.8(50)\r\n'), clock, wholeWatts],
  }),
} as const;
