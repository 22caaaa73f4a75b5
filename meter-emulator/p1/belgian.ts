import {
  breaker,
  centiCurrents,
  clock,
  END,
  energies,
  fixed,
  hexLine,
  limiterTenths,
  message,
  meterSerial,
  phaseExports,
  phaseImports,
  powers,
  rate,
  relays,
  voltages,
  wholeCurrents,
} from './lines.ts';
import { devices } from './mbus-lines.ts';
import { dialect, type Line } from './row.ts';

const quarter: Line = (out, { quarterPowerW }) => {
  out.text('1-0:1.4.0(').number(quarterPowerW, 2, 3).text('*kW)\r\n');
};

const peaks: Line = (out, { monthPeak, closedPeaks }) => {
  out.text('1-0:1.6.0(').time(monthPeak.time).text(')(').number(monthPeak.powerW, 2, 3).text('*kW)\r\n');
  out.text(`0-0:98.1.0(${closedPeaks.length})(1-0:1.6.0)(1-0:1.6.0)`);
  for (const { monthEnd, time, powerW } of closedPeaks)
    out.text('(').time(monthEnd).text(')(').time(time).text(')(').number(powerW, 2, 3).text('*kW)');
  out.text('\r\n');
};

/** e-MUCS 2 prints no limit as `99.999*kW`, and everything in its own places. */
const limiterThousandths: Line = (out, { limiterW }) => {
  out
    .text('0-0:17.0.0(')
    .number(limiterW ?? 99_999, 2, 3)
    .text('*kW)\r\n');
};
const fuseWhole: Line = (out, { fuseCentiA }) => {
  const amperes = fuseCentiA === null ? 999 : Math.floor(fuseCentiA / 100);
  out.text('1-0:31.4.0(').number(amperes, 3).text('*A)\r\n');
};
const fuseHundredths: Line = (out, { fuseCentiA }) => {
  out
    .text('1-0:31.4.0(')
    .number(fuseCentiA ?? 99_999, 3, 2)
    .text('*A)\r\n');
};

const grid: Line = (out, { gridVolts }) => {
  out.text('1-0:94.32.1(').number(gridVolts, 3).text(END);
};

/** Belgian gas is not temperature-corrected: 24.2.3. */
const REGISTERS = { 3: '24.2.3(', 4: '24.2.1(', 7: '24.2.1(' } as const;
const belgianDevices = (ean: boolean): Line => devices({ registers: REGISTERS, serial: '96.1.1(', ean });

/** The version line says 502, for DSMR 5.0.2, and the edition of e-MUCS. */
const head = (version: string): readonly Line[] => [
  fixed(`0-0:96.1.4(${version})\r\n`),
  meterSerial,
  clock,
  energies,
  rate,
];

/** Editions 1.5 and 1.6 differ in what hangs on the M-Bus, which is the state's business. */
const withPhases = (version: string): readonly Line[] => [
  ...head(version),
  powers,
  phaseImports,
  phaseExports,
  voltages,
  centiCurrents,
  breaker,
  limiterTenths,
  fuseWhole,
  message,
  belgianDevices(false),
];

const starless =
  (line: Line): Line =>
  (out, state) =>
    out.starless(() => line(out, state));

const firstElectricity = [
  ...head('50213'),
  powers,
  voltages,
  wholeCurrents,
  breaker,
  limiterTenths,
  fuseWhole,
];

export const BELGIAN = {
  'emucs-1.3': dialect({
    after: "e-MUCS P1 1.3 (50213), Fluvius' first meters: whole amperes, no power by phase, no peaks",
    header: 'FLU5\\253SIM213_A',
    lines: [...firstElectricity, message, belgianDevices(false)],
  }),
  'emucs-1.3-starless': dialect({
    after: 'e-MUCS P1 1.3 as some of the first meters spell it: no star in front of a unit but on the M-Bus',
    header: 'FLU5\\SIM000213_A',
    lines: [...firstElectricity.map(starless), message, belgianDevices(false)],
  }),
  'emucs-1.5': dialect({
    after: 'e-MUCS P1 1.5 (50215): power by phase, hundredths of an ampere',
    header: 'FLU5\\253SIM215_A',
    lines: withPhases('50215'),
  }),
  'emucs-1.6': dialect({
    after: 'e-MUCS P1 1.6 (50216)',
    header: 'FLU5\\253SIM216_A',
    lines: withPhases('50216'),
  }),
  'emucs-1.7.1': dialect({
    after: 'e-MUCS P1 1.7.1 §7 (50217): the quarter-hour and the peaks of the capacity tariff',
    header: 'FLU5\\253SIM217_A',
    lines: [
      ...head('50217'),
      quarter,
      peaks,
      powers,
      phaseImports,
      phaseExports,
      voltages,
      centiCurrents,
      breaker,
      limiterTenths,
      fuseWhole,
      message,
      belgianDevices(false),
    ],
  }),
  'emucs-2.1.1': dialect({
    after: 'e-MUCS P1 2.1.1 §7 (50221): EANs, grid, relays',
    header: 'FLU5\\253SIM221_A',
    lines: [
      fixed('0-0:96.1.4(50221)\r\n'),
      grid,
      meterSerial,
      hexLine('0-0:96.1.2(', ({ ean }) => ean ?? ''),
      clock,
      energies,
      rate,
      quarter,
      peaks,
      powers,
      phaseImports,
      phaseExports,
      voltages,
      centiCurrents,
      breaker,
      limiterThousandths,
      fuseHundredths,
      relays,
      message,
      belgianDevices(true),
    ],
  }),
} as const;
