import {
  centiCurrents,
  clock,
  END,
  eachPhase,
  fixed,
  hexLine,
  message,
  meterSerial,
  phaseExports,
  phaseImports,
  plainLine,
  powers,
  sagsAndSwells,
  voltages,
  wholeCurrents,
} from './lines.ts';
import { apparentVa, exportTotalWh, importTotalWh, netW, reactiveVar } from './reactive.ts';
import {
  apparentPowers,
  phaseReactiveExportsOf,
  phaseReactiveImportsOf,
  rateEnergies,
  reactivePowersOf,
  reactiveTotalsOf,
} from './reactive-lines.ts';
import { dialect, type Line } from './row.ts';

/** Ports that follow nobody's document, or one that is not public: written after what they were seen to print. */

/** Averages beside the values themselves, and power of the phases by its amount. */
const averageVoltages = eachPhase(
  ['1-0:32.24.0(', '1-0:52.24.0(', '1-0:72.24.0('],
  (out, { voltageDeciV }) => {
    out.number(voltageDeciV, 3, 1).text('*V)\r\n');
  },
);
const amounts: Line = (out, { phases }) => {
  let powerW = 0;
  for (const { importW, exportW } of phases) powerW += importW + exportW;
  out.text('1-0:15.7.0(').number(powerW, 2, 3).text('*kW)\r\n');
};
const phaseApparents = eachPhase(['1-0:29.7.0(', '1-0:49.7.0(', '1-0:69.7.0('], (out, phase) => {
  const powerVa = Math.round(Math.hypot(phase.importW, reactiveVar(phase)));
  out.number(phase.importW > 0 ? powerVa : 0, 2, 3).text('*kVA)\r\n');
});
const signedPowerFactors = eachPhase(['1-0:33.7.0(', '1-0:53.7.0(', '1-0:73.7.0('], (out, phase) => {
  const { powerFactorMilli = 1000, exportW } = phase;
  out.signed(exportW > 0 ? -powerFactorMilli : powerFactorMilli, 1, 3).text(END);
});
const DECIHERTZ = 10;
const frequency: Line = (out, { frequencyCentiHz = 5000 }) => {
  out
    .text('1-0:14.7.0(')
    .number(Math.floor(frequencyCentiHz / DECIHERTZ), 2, 1)
    .text('*Hz)\r\n');
};
const quarterHours: Line = (out, state) => {
  out.text('1-0:0.8.2(00900*s)\r\n1-0:1.4.0(').number(state.quarterPowerW, 6, 3).text('*kW)\r\n');
  out.text('1-0:9.4.0(').number(apparentVa(state), 6, 3).text('*kVA)\r\n');
};
const swellsOfLithuania: Line = (out, { shortFailures }) => {
  out.text('0-0:96.7.21(').number(shortFailures, 5).text(END);
  out.text('1-0:32.33.0(00512*s)\r\n1-0:32.34.0(0000*V)\r\n1-0:32.38.0(256*V)\r\n');
};

/** Everything under channel 1 of electricity but what is of the phases. */
const onChannelOne: Line = (out, { importWh, exportWh, rate: running, longFailures, ...state }) => {
  out.text('1-1:1.8.1(').number(importWh[0], 6, 3).text('*kWh)\r\n');
  out.text('1-1:1.8.2(').number(importWh[1], 6, 3).text('*kWh)\r\n');
  out.text('1-1:2.8.1(').number(exportWh[0], 6, 3).text('*kWh)\r\n');
  out.text('1-1:2.8.2(').number(exportWh[1], 6, 3).text('*kWh)\r\n');
  out.text('0-0:96.14.0(').number(running, 4).text(END);
  let net = 0;
  for (const { importW, exportW } of state.phases) net += importW - exportW;
  out.text('1-1:1.7.0(').number(Math.max(net, 0), 2, 3).text('*kW)\r\n');
  out.text('1-1:2.7.0(').number(Math.max(-net, 0), 2, 3).text('*kW)\r\n');
  out.text('0-0:96.7.21(').number(state.shortFailures, 5).text(END);
  out.text('0-0:96.7.9(').number(longFailures.length, 5).text(END);
  out.text(`1-0:99.97.0(${longFailures.length})(0-0:96.7.19)`);
  for (const { end, durationSeconds } of longFailures)
    out.text('(').time(end).text(')(').number(durationSeconds, 10).text('*s)');
  out.text('\r\n');
};
const peakOnChannelOne: Line = (out, { monthPeak, closedPeaks, quarterPowerW }) => {
  out.text('1-1:1.6.0(').time(monthPeak.time).text(')(').number(monthPeak.powerW, 2, 3).text('*kW)\r\n');
  // It counts its closed months and prints none of them.
  out.text(`0-0:98.1.0(${closedPeaks.length})\r\n`);
  out.text('1-0:1.4.0(').number(quarterPowerW, 2, 3).text('*kW)\r\n');
};
/** 24 blanks where the EAN should be. */
const BLANK_EAN = '20'.repeat(24);

const GAS = 3;
const SERIAL_PLACES = 17;
/** Registers of one rate, and an amount of power that does not say in which direction. */
const ace4000Electricity: Line = (out, state) => {
  const imported = importTotalWh(state);
  const exported = exportTotalWh(state);
  out.text('1-0:1.8.0*255(').number(imported, 6, 3).text('*kWh)\r\n');
  out.text('1-0:1.8.1*255(').number(imported, 6, 3).text('*kWh)\r\n');
  out.text('1-0:2.8.0*255(').number(exported, 6, 3).text('*kWh)\r\n');
  out.text('1-0:2.8.1*255(').number(exported, 6, 3).text('*kWh)\r\n');
  out.text('0-0:96.14.0*255(').number(state.rate, 2).text(END);
  out
    .text('1-0:15.7.0*255(')
    .number(Math.abs(netW(state)), 6)
    .text('*W)\r\n');
  const amperes = state.fuseCentiA === null ? 999 : Math.floor(state.fuseCentiA / 100);
  out.text('0-0:17.0.0*255(').number(amperes, 4).text('*A)\r\n');
  if (state.breaker !== null) out.text('0-0:96.3.10*255(').number(state.breaker, 1).text(END);
};
/** Its one gas meter: a number on an M-Bus channel, a reading and a valve under the code of gas. */
const ace4000Gas: Line = (out, { devices }) => {
  const gas = devices.findLast(({ deviceType }) => deviceType === GAS);
  if (gas === undefined || gas.time === null) return;
  out.text(`0-${gas.channel}:96.1.0*255(`).text(gas.serial.padEnd(SERIAL_PLACES)).text(END);
  out.text('7-0:23.1.0*255(').number(gas.value, 5, 3).text('*m3)(').longTime(gas.time).text(END);
  if (gas.valve !== null) out.text('7-0:24.4.0*255(').number(gas.valve, 1).text(END);
};

export const ELSEWHERE = {
  lithuania: dialect({
    after:
      "Lithuania's ESO, a Sagemcom of three phases: averages, apparent power by phase, signatures for versions",
    header: 'ESO5\\253SIM853_A',
    periodSeconds: 10,
    lines: [
      clock,
      rateEnergies,
      reactiveTotalsOf(6, '*kvarh'),
      powers,
      reactivePowersOf(2, '*kvar'),
      phaseImports,
      phaseExports,
      phaseReactiveImportsOf(2, '*kvar'),
      phaseReactiveExportsOf(2, '*kvar'),
      voltages,
      averageVoltages,
      wholeCurrents,
      frequency,
      amounts,
      apparentPowers,
      phaseApparents,
      signedPowerFactors,
      quarterHours,
      swellsOfLithuania,
      fixed('1-0:0.2.0(02.21)\r\n1-0:0.2.8(1EA40000)\r\n1-1:0.2.0(03.02)\r\n1-1:0.2.8(24400000)\r\n'),
      message,
      meterSerial,
    ],
  }),
  'sagemcom-xt211': dialect({
    after: 'a Sagemcom XT211 on channel 1: an EAN of blanks, closed months that are counted and not printed',
    header: 'GRE5\\SIM34123_A',
    lines: [
      clock,
      plainLine('0-0:0.0.0(', ({ serial }) => serial),
      onChannelOne,
      sagsAndSwells,
      voltages,
      centiCurrents,
      message,
      fixed(`0-0:96.1.4(12345)\r\n0-0:96.1.2(${BLANK_EAN})\r\n`),
      phaseImports,
      phaseExports,
      hexLine('0-0:96.13.1(', ({ messageCode = '' }) => messageCode),
      peakOnChannelOne,
    ],
  }),
  ace4000: dialect({
    after:
      "an ACE4000: no CRC, no clock, `*255` everywhere, its gas meter under gas's own code with a long time",
    header: 'ACE5SIM4K',
    line: '9600 7E1',
    periodSeconds: 10,
    ends: 'bang',
    lines: [plainLine('0-0:96.1.0*255(', ({ serial }) => serial), ace4000Electricity, ace4000Gas],
  }),
} as const;
