import type { P1DeviceState, P1MeterState, P1PhaseState } from './state.ts';
import type { TelegramWriter } from './writer.ts';

/** Prints one line, or a few that belong together. */
type Line = (out: TelegramWriter, state: P1MeterState) => void;

const END = ')\r\n';

const fixed =
  (text: string): Line =>
  (out) => {
    out.text(text);
  };

const hexLine =
  (code: string, pick: (state: P1MeterState) => string): Line =>
  (out, state) => {
    out.text(code).hex(pick(state)).text(END);
  };

const clock: Line = (out, { time }) => {
  out.text('0-0:1.0.0(').time(time).text(END);
};

const energyLine = (out: TelegramWriter, code: string, energyWh: number): void => {
  out.text(code).number(energyWh, 6, 3).text('*kWh)\r\n');
};

const energies: Line = (out, { importWh, exportWh }) => {
  energyLine(out, '1-0:1.8.1(', importWh[0]);
  energyLine(out, '1-0:1.8.2(', importWh[1]);
  energyLine(out, '1-0:2.8.1(', exportWh[0]);
  energyLine(out, '1-0:2.8.2(', exportWh[1]);
};

const rate: Line = (out, state) => {
  out.text('0-0:96.14.0(').number(state.rate, 4).text(END);
};

const powerLine = (out: TelegramWriter, code: string, powerW: number): void => {
  out.text(code).number(powerW, 2, 3).text('*kW)\r\n');
};

const quarter: Line = (out, { quarterPowerW }) => powerLine(out, '1-0:1.4.0(', quarterPowerW);

const peaks: Line = (out, { monthPeak, closedPeaks }) => {
  out.text('1-0:1.6.0(').time(monthPeak.time).text(')(').number(monthPeak.powerW, 2, 3).text('*kW)\r\n');
  out.text(`0-0:98.1.0(${closedPeaks.length})(1-0:1.6.0)(1-0:1.6.0)`);
  for (const { monthEnd, time, powerW } of closedPeaks)
    out.text('(').time(monthEnd).text(')(').time(time).text(')(').number(powerW, 2, 3).text('*kW)');
  out.text('\r\n');
};

const sum = (phases: readonly P1PhaseState[], key: 'importW' | 'exportW'): number => {
  let total = 0;
  for (const phase of phases) total += phase[key];
  return total;
};

const powers: Line = (out, { phases }) => {
  // A three-phase meter nets its phases: import and export are never both above zero.
  const net = sum(phases, 'importW') - sum(phases, 'exportW');
  powerLine(out, '1-0:1.7.0(', Math.max(net, 0));
  powerLine(out, '1-0:2.7.0(', Math.max(-net, 0));
};

const eachPhase =
  (codes: readonly string[], print: (out: TelegramWriter, phase: P1PhaseState) => void): Line =>
  (out, { phases }) => {
    for (let index = 0; index < phases.length; index += 1) {
      out.text(codes[index]!);
      print(out, phases[index]!);
    }
  };

const phaseImports = eachPhase(['1-0:21.7.0(', '1-0:41.7.0(', '1-0:61.7.0('], (out, { importW }) => {
  out.number(importW, 2, 3).text('*kW)\r\n');
});
const phaseExports = eachPhase(['1-0:22.7.0(', '1-0:42.7.0(', '1-0:62.7.0('], (out, { exportW }) => {
  out.number(exportW, 2, 3).text('*kW)\r\n');
});
const voltages = eachPhase(['1-0:32.7.0(', '1-0:52.7.0(', '1-0:72.7.0('], (out, { voltageDeciV }) => {
  out.number(voltageDeciV, 3, 1).text('*V)\r\n');
});
const CURRENT_CODES = ['1-0:31.7.0(', '1-0:51.7.0(', '1-0:71.7.0('];
const centiCurrents = eachPhase(CURRENT_CODES, (out, { currentCentiA }) => {
  out.number(currentCentiA, 3, 2).text('*A)\r\n');
});
const wholeCurrents = eachPhase(CURRENT_CODES, (out, { currentCentiA }) => {
  out.number(Math.floor(currentCentiA / 100), 3).text('*A)\r\n');
});

const breaker: Line = (out, state) => {
  if (state.breaker !== null) out.text('0-0:96.3.10(').number(state.breaker, 1).text(END);
};

/** `999.9 kW` is no limit (DSMR, e-MUCS 1); e-MUCS 2 prints it with three decimals. */
const limiterTenths: Line = (out, { limiterW }) => {
  const tenths = limiterW === null ? 9999 : Math.floor(limiterW / 100);
  out.text('0-0:17.0.0(').number(tenths, 3, 1).text('*kW)\r\n');
};
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

const relays: Line = (out, state) => {
  for (let index = 0; index < state.relays.length; index += 1)
    out
      .text('0-')
      .number(index + 1, 1)
      .text(':96.3.10(')
      .number(state.relays[index]!, 1)
      .text(END);
};

const failures: Line = (out, { shortFailures, longFailures }) => {
  out.text('0-0:96.7.21(').number(shortFailures, 5).text(END);
  out.text('0-0:96.7.9(').number(longFailures.length, 5).text(END);
  out.text(`1-0:99.97.0(${longFailures.length})(0-0:96.7.19)`);
  for (const { end, durationSeconds } of longFailures)
    out.text('(').time(end).text(')(').number(durationSeconds, 10).text('*s)');
  out.text('\r\n');
};
const sagsAndSwells = eachPhase(
  [
    '1-0:32.32.0(00000)\r\n1-0:32.36.0(',
    '1-0:52.32.0(00000)\r\n1-0:52.36.0(',
    '1-0:72.32.0(00000)\r\n1-0:72.36.0(',
  ],
  (out) => {
    out.text('00000)\r\n');
  },
);

/** How a dialect prints an M-Bus device: the register by type, the code of its serial number, whether an EAN. */
interface DeviceStyle {
  readonly registers: Readonly<Record<P1DeviceState['deviceType'], string>>;
  readonly serial: string;
  readonly ean: boolean;
}

const devices =
  ({ registers, serial, ean }: DeviceStyle): Line =>
  (out, state) => {
    for (const device of state.devices) {
      const prefix = `0-${device.channel}:`;
      out.text(prefix).text('24.1.0(').number(device.deviceType, 3).text(END);
      out.text(prefix).text(serial).hex(device.serial).text(END);
      if (ean)
        out
          .text(prefix)
          .text('96.1.2(')
          .hex(device.ean ?? '')
          .text(END);
      if (device.valve !== null) out.text(prefix).text('24.4.0(').number(device.valve, 1).text(END);
      out.text(prefix).text(registers[device.deviceType]).time(device.time).text(')(');
      out.number(device.value, 5, 3).text(device.deviceType === 4 ? '*GJ)\r\n' : '*m3)\r\n');
    }
  };

const meterSerial = hexLine('0-0:96.1.1(', ({ serial }) => serial);
/** DSMR P1 5.0.2 §6.12 and e-MUCS P1 §7: at most 1024 characters. */
const MESSAGE_LENGTH_MAX = 1024;
const message = hexLine('0-0:96.13.0(', (state) => state.message.slice(0, MESSAGE_LENGTH_MAX));
const DUTCH_DEVICES: DeviceStyle = {
  registers: { 3: '24.2.1(', 4: '24.2.1(', 7: '24.2.1(' },
  serial: '96.1.0(',
  ean: false,
};
/** Belgian gas is not temperature-corrected: 24.2.3. */
const BELGIAN_REGISTERS = { 3: '24.2.3(', 4: '24.2.1(', 7: '24.2.1(' } as const;

export type P1Dialect = 'emucs-1.7.1' | 'emucs-2.1.1' | 'dsmr-4.2' | 'dsmr-5.0';

/** The lines of each dialect, in its order (e-MUCS P1 §7, DSMR P1 4.2.2 and 5.0.2 §6.12). */
export const DIALECTS: Readonly<Record<P1Dialect, readonly Line[]>> = {
  'emucs-1.7.1': [
    fixed('0-0:96.1.4(50217)\r\n'),
    meterSerial,
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
    limiterTenths,
    fuseWhole,
    message,
    devices({ registers: BELGIAN_REGISTERS, serial: '96.1.1(', ean: false }),
  ],
  'emucs-2.1.1': [
    fixed('0-0:96.1.4(50221)\r\n'),
    (out, { gridVolts }) => {
      out.text('1-0:94.32.1(').number(gridVolts, 3).text(END);
    },
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
    devices({ registers: BELGIAN_REGISTERS, serial: '96.1.1(', ean: true }),
  ],
  'dsmr-4.2': [
    fixed('1-3:0.2.8(42)\r\n'),
    clock,
    meterSerial,
    energies,
    rate,
    powers,
    limiterTenths,
    breaker,
    failures,
    sagsAndSwells,
    fixed('0-0:96.13.1()\r\n'),
    message,
    wholeCurrents,
    phaseImports,
    phaseExports,
    devices(DUTCH_DEVICES),
  ],
  'dsmr-5.0': [
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
    devices(DUTCH_DEVICES),
  ],
};
