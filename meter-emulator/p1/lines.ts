import { netW } from './reactive.ts';
import type { Line } from './row.ts';
import type { P1MeterState, P1PhaseState } from './state.ts';
import type { TelegramWriter } from './writer.ts';

/** Lines that dialects of several countries share. Places and decimals are those of the specification's `F9(3,3)`. */

export const END = ')\r\n';

export const fixed =
  (text: string): Line =>
  (out) => {
    out.text(text);
  };

export const hexLine =
  (code: string, pick: (state: P1MeterState) => string): Line =>
  (out, state) => {
    out.text(code).hex(pick(state)).text(END);
  };

export const plainLine =
  (code: string, pick: (state: P1MeterState) => string): Line =>
  (out, state) => {
    out.text(code).text(pick(state)).text(END);
  };

/** A number with so many places, of which some are behind the point; `unit` with what closes the line. */
export const numberLine =
  (
    code: string,
    places: number,
    decimals: number,
    unit: string,
    pick: (state: P1MeterState) => number,
  ): Line =>
  (out, state) => {
    out.text(code).number(pick(state), places, decimals).text(unit);
  };

export const eachPhase =
  (codes: readonly string[], print: (out: TelegramWriter, phase: P1PhaseState) => void): Line =>
  (out, { phases }) => {
    for (let index = 0; index < phases.length; index += 1) {
      out.text(codes[index]!);
      print(out, phases[index]!);
    }
  };

export const clock: Line = (out, { time }) => {
  out.text('0-0:1.0.0(').time(time).text(END);
};

/** Some print their clock without the letter. */
export const letterlessClock: Line = (out, { time }) => {
  out.text('0-0:1.0.0(').letterless(time).text(END);
};

const energyLine = (out: TelegramWriter, code: string, energyWh: number, places: number): void => {
  out.text(code).number(energyWh, places, 3).text('*kWh)\r\n');
};

/** The four registers; DSMR 2.2 and 3 have five places before the point, all later ones six. */
export const energiesOf =
  (places: number): Line =>
  (out, { importWh, exportWh }) => {
    energyLine(out, '1-0:1.8.1(', importWh[0], places);
    energyLine(out, '1-0:1.8.2(', importWh[1], places);
    energyLine(out, '1-0:2.8.1(', exportWh[0], places);
    energyLine(out, '1-0:2.8.2(', exportWh[1], places);
  };
export const energies = energiesOf(6);

export const rate: Line = (out, state) => {
  out.text('0-0:96.14.0(').number(state.rate, 4).text(END);
};

/** Import and export of now: a three-phase meter nets its phases, so never are both above zero. */
export const powersOf =
  (places: number): Line =>
  (out, state) => {
    const net = netW(state);
    out.text('1-0:1.7.0(').number(Math.max(net, 0), places, 3).text('*kW)\r\n');
    out.text('1-0:2.7.0(').number(Math.max(-net, 0), places, 3).text('*kW)\r\n');
  };
export const powers = powersOf(2);

export const IMPORT_POWER_CODES = ['1-0:21.7.0(', '1-0:41.7.0(', '1-0:61.7.0('];
export const EXPORT_POWER_CODES = ['1-0:22.7.0(', '1-0:42.7.0(', '1-0:62.7.0('];
export const VOLTAGE_CODES = ['1-0:32.7.0(', '1-0:52.7.0(', '1-0:72.7.0('];
export const CURRENT_CODES = ['1-0:31.7.0(', '1-0:51.7.0(', '1-0:71.7.0('];

export const phaseImportsOf = (places: number): Line =>
  eachPhase(IMPORT_POWER_CODES, (out, { importW }) => {
    out.number(importW, places, 3).text('*kW)\r\n');
  });
export const phaseExportsOf = (places: number): Line =>
  eachPhase(EXPORT_POWER_CODES, (out, { exportW }) => {
    out.number(exportW, places, 3).text('*kW)\r\n');
  });
export const phaseImports = phaseImportsOf(2);
export const phaseExports = phaseExportsOf(2);

export const voltages = eachPhase(VOLTAGE_CODES, (out, { voltageDeciV }) => {
  out.number(voltageDeciV, 3, 1).text('*V)\r\n');
});
export const centiCurrents = eachPhase(CURRENT_CODES, (out, { currentCentiA }) => {
  out.number(currentCentiA, 3, 2).text('*A)\r\n');
});
export const deciCurrents = eachPhase(CURRENT_CODES, (out, { currentCentiA }) => {
  out.number(Math.floor(currentCentiA / 10), 3, 1).text('*A)\r\n');
});
export const wholeCurrents = eachPhase(CURRENT_CODES, (out, { currentCentiA }) => {
  out.number(Math.floor(currentCentiA / 100), 3).text('*A)\r\n');
});

export const breaker: Line = (out, state) => {
  if (state.breaker !== null) out.text('0-0:96.3.10(').number(state.breaker, 1).text(END);
};

export const relays: Line = (out, state) => {
  for (let index = 0; index < state.relays.length; index += 1)
    out
      .text('0-')
      .number(index + 1, 1)
      .text(':96.3.10(')
      .number(state.relays[index]!, 1)
      .text(END);
};

/** `999.9 kW` is no limit (DSMR 4, e-MUCS 1). */
export const limiterTenths: Line = (out, { limiterW }) => {
  const tenths = limiterW === null ? 9999 : Math.floor(limiterW / 100);
  out.text('0-0:17.0.0(').number(tenths, 3, 1).text('*kW)\r\n');
};

/** Sags and swells: three pairs of counters at most, all at nothing. */
export const sagsAndSwells = eachPhase(
  [
    '1-0:32.32.0(00000)\r\n1-0:32.36.0(',
    '1-0:52.32.0(00000)\r\n1-0:52.36.0(',
    '1-0:72.32.0(00000)\r\n1-0:72.36.0(',
  ],
  (out) => {
    out.text('00000)\r\n');
  },
);

export const meterSerial = hexLine('0-0:96.1.1(', ({ serial }) => serial);

/** DSMR P1 5.0.2 §6.12 and e-MUCS P1 §7: at most 1024 characters. */
const MESSAGE_LENGTH_MAX = 1024;
export const message = hexLine('0-0:96.13.0(', (state) =>
  octetsOf(state.message).slice(0, MESSAGE_LENGTH_MAX),
);

const BEYOND_ASCII = /[^\0-\x7f]/;

/** A message in UTF-8, each octet as a character: a euro sign is three of them. */
const octetsOf = (text: string): string =>
  BEYOND_ASCII.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
