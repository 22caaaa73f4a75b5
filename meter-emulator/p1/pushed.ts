import { eachPhase, fixed, plainLine } from './lines.ts';
import { exportTotalWh, importTotalWh, netW } from './reactive.ts';
import { dialect, type Line } from './row.ts';

/**
 * Meters that push the text of IEC 62056-21 mode D on their own, without a CRC and without a clock. Their energies
 * are finer than a watt-hour; an emulated meter counts whole ones, so the last places stay zero.
 */

/** Tenths of a milliwatt-hour in a watt-hour: EasyMeter's seven places of a kWh. */
const FINE_7 = 10_000;
/** Hundredths of a milliwatt-hour: eight places. */
const FINE_8 = 100_000;
const CENTI = 100;

const signedPower = (code: string): Line => {
  return (out, state) => {
    out
      .text(code)
      .signed(netW(state) * CENTI, 6, 2)
      .text('*W)\r\n');
  };
};
const signedPhases = (codes: readonly string[]): Line =>
  eachPhase(codes, (out, { importW, exportW }) => {
    out.signed((importW - exportW) * CENTI, 6, 2).text('*W)\r\n');
  });

const energies =
  (places: number, decimals: number, factor: number): Line =>
  (out, state) => {
    out
      .text('1-0:1.8.0*255(')
      .number(importTotalWh(state) * factor, places, decimals)
      .text('*kWh)\r\n');
    out
      .text('1-0:2.8.0*255(')
      .number(exportTotalWh(state) * factor, places, decimals)
      .text('*kWh)\r\n');
  };

/** 0.9.2 is the local date, with a digit for the day of the week that stays zero, and 0.9.1 the time of day. */
const localDate: Line = (out, { time }) => {
  out.text('1-0:0.9.2*255(0').date(time).text(')\r\n1-0:0.9.1*255(').timeOfDay(time).text(')\r\n');
};

const PORT = { line: '9600 7E1', ends: 'bang' } as const;

export const PUSHED = {
  'easymeter-q3d': dialect({
    ...PORT,
    after: 'an EasyMeter Q3D with two directions: seven decimals, power below zero when it feeds in',
    header: 'ESY5SIMQ3DB V3.04',
    periodSeconds: 2,
    lines: [
      plainLine('1-0:0.0.0*255(', ({ serial }) => serial),
      energies(8, 7, FINE_7),
      signedPhases(['1-0:21.7.0*255(', '1-0:41.7.0*255(', '1-0:61.7.0*255(']),
      signedPower('1-0:1.7.0*255('),
      fixed('1-0:96.5.5*255(80)\r\n'),
      plainLine('0-0:96.1.255*255(', ({ serial }) => `1ESY${serial}`),
    ],
  }),
  'ebz-dd3': dialect({
    ...PORT,
    after: 'an eBZ DD3: eight decimals, its number under electricity, signed sums under 16.7.0',
    header: 'EBZ5SIM32R06ETA_107',
    periodSeconds: 1,
    lines: [
      plainLine('1-0:0.0.0*255(', ({ serial }) => `1EBZ${serial}`),
      plainLine('1-0:96.1.0*255(', ({ serial }) => serial),
      energies(6, 8, FINE_8),
      signedPower('1-0:16.7.0*255('),
      signedPhases(['1-0:36.7.0*255(', '1-0:56.7.0*255(', '1-0:76.7.0*255(']),
      fixed('1-0:96.5.0*255(001C0104)\r\n0-0:96.8.0*255(02FAB8BF)\r\n'),
    ],
  }),
  'iskra-mt174': dialect({
    ...PORT,
    after:
      'an Iskra MT174 through a head on its optical port: an STX in front of the data, local date and time',
    header: 'ISk5SIM174-0002',
    periodSeconds: 10,
    begins: 'start of text',
    lines: [
      plainLine('1-0:0.0.0*255(', ({ serial }) => serial),
      localDate,
      energies(7, 3, 1),
      fixed('0-0:97.97.0*255(00000000)\r\n'),
    ],
  }),
} as const;
