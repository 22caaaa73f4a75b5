import {
  breaker,
  clock,
  END,
  eachPhase,
  energies,
  fixed,
  letterlessClock,
  message,
  meterSerial,
  phaseExports,
  phaseExportsOf,
  phaseImports,
  phaseImportsOf,
  plainLine,
  powers,
  powersOf,
  rate,
  sagsAndSwells,
  voltages,
  wholeCurrents,
} from './lines.ts';
import { emptyChannels } from './mbus-lines.ts';
import { dialect, type Line } from './row.ts';

/** Iskraemeco's meters of several countries: each has its own way to print a time. */

const ofIrelandAndWallonia = (time: Line): readonly Line[] => [
  fixed('1-0:0.0.0(00000000)\r\n'),
  plainLine('0-0:96.1.0(', ({ serial }) => serial),
  time,
  energies,
  rate,
  powers,
  phaseImports,
  phaseExports,
  voltages,
  wholeCurrents,
  breaker,
  message,
  fixed('0-1:96.1.1()\r\n'),
];

/** e-MUCS 2.1.1 as five digits, and those as the hex of their letters. */
const VERSION_IN_HEX = '3231313130';

/** The value stands in front of its time. */
const peakValueFirst: Line = (out, { monthPeak }) => {
  out.text('1-0:1.6.0(').number(monthPeak.powerW, 2, 3).text('*kW)(').letterless(monthPeak.time).text(END);
};

/** The octets of the COSEM object (IEC 62056-6-2 §4.1.6.1) in hex. */
const octetClock: Line = (out, { time }) => {
  out.text('0-0:1.0.0(').dateTime(time).text(END);
};

/** Durations without a unit and without leading zeros. */
const failures: Line = (out, { shortFailures, longFailures }) => {
  out.text('0-0:96.7.21(').number(shortFailures, 5).text(END);
  out.text('0-0:96.7.9(').number(longFailures.length, 5).text(END);
  out.text(`1-0:99.97.0(${longFailures.length})(0-0:96.7.19)`);
  for (const { end, durationSeconds } of longFailures)
    out
      .text('(')
      .time(end)
      .text(`)(${String(durationSeconds)})`);
  out.text('\r\n');
};

const DECIVOLT = 10;
const centiVoltages = eachPhase(['1-0:32.7.0(', '1-0:52.7.0(', '1-0:72.7.0('], (out, { voltageDeciV }) => {
  out.number(voltageDeciV * DECIVOLT, 3, 2).text('*V)\r\n');
});
const CENTIAMPERE = 100;
const shortCurrents = eachPhase(['1-0:31.7.0(', '1-0:51.7.0(', '1-0:71.7.0('], (out, { currentCentiA }) => {
  out.text((currentCentiA / CENTIAMPERE).toFixed(2)).text('*A)\r\n');
});

const unused = (channel: number): string =>
  `0-${channel}:24.1.0()\r\n0-${channel}:96.1.0()\r\n0-${channel}:24.2.1(0)\r\n`;

export const ISKRA = {
  ireland: dialect({
    after: 'an Iskra MIE5T of Ireland: an STX in its first line, an M-Bus channel without a number',
    header: 'ISk5\u0002SIM5T-200',
    lines: ofIrelandAndWallonia(clock),
  }),
  'wallonia-iskra': dialect({
    after: "an Iskra MIE5 of Wallonia's smaller operators: neither version nor letter behind its clock",
    header: 'ISk5\\2SIM5E-200',
    lines: ofIrelandAndWallonia(letterlessClock),
  }),
  'wallonia-iskra-2.1.1': dialect({
    after:
      'the same of later years: its version in hex, the value of its peak in front of a time without a letter',
    header: 'ISk5\\2SIM5T-211',
    lines: [
      fixed(`0-0:96.1.4(${VERSION_IN_HEX})\r\n`),
      ...ofIrelandAndWallonia(letterlessClock),
      peakValueFirst,
    ],
  }),
  'slovenia-iskra': dialect({
    after:
      'an Iskra of Slovenia: the octets of its clock in hex, failures without a unit, four channels always',
    header: 'ESR51SIM12047847',
    lines: [
      fixed('1-3:0.2.8(50)\r\n'),
      octetClock,
      meterSerial,
      energies,
      rate,
      powersOf(3),
      failures,
      sagsAndSwells,
      message,
      centiVoltages,
      shortCurrents,
      phaseImportsOf(3),
      phaseExportsOf(3),
      emptyChannels(unused, () => []),
    ],
  }),
} as const;
