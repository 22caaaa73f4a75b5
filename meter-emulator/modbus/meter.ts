import type { ModbusProfile } from '../../gateway/edge/modbus/profile.ts';
import type { P1MeterState } from '../p1/encode.ts';
import type { Quantity, Shown } from './registers.ts';

const PHASES = [
  { volts: '1-0:32.7.0', amperes: '1-0:31.7.0' },
  { volts: '1-0:52.7.0', amperes: '1-0:51.7.0' },
  { volts: '1-0:72.7.0', amperes: '1-0:71.7.0' },
] as const;

/**
 * An emulated household's electricity as a Modbus meter shows it: the very registers and phases that its P1 port
 * would print at that moment, totals where a meter has no rates, and a serial number of digits.
 */
export function modbusMeterOf(
  profile: ModbusProfile,
  { serial, importWh, exportWh, phases }: P1MeterState,
): Shown {
  const energy = (obis: string, value: number): Quantity => ({ obis, value, scaler: 0 });
  const quantities: Quantity[] = [
    energy('1-0:1.8.0', importWh[0] + importWh[1]),
    energy('1-0:2.8.0', exportWh[0] + exportWh[1]),
    energy('1-0:1.8.1', importWh[0]),
    energy('1-0:1.8.2', importWh[1]),
    energy('1-0:2.8.1', exportWh[0]),
    energy('1-0:2.8.2', exportWh[1]),
    energy('1-0:3.8.0', Math.floor((importWh[0] + importWh[1]) / 4)),
    energy('1-0:4.8.0', Math.floor((exportWh[0] + exportWh[1]) / 4)),
    { obis: '1-0:16.7.0', value: phases.reduce((sum, one) => sum + one.importW - one.exportW, 0), scaler: 0 },
  ];
  phases.forEach(({ voltageDeciV, currentCentiA }, index) => {
    const { volts, amperes } = PHASES[index]!;
    quantities.push({ obis: volts, value: voltageDeciV!, scaler: -1 });
    quantities.push({ obis: amperes, value: currentCentiA!, scaler: -2 });
  });
  return { serial: modbusSerial(profile, serial), quantities: cut(profile, quantities) };
}

/** Meters that keep their serial number as a 32-bit number print no letters. */
export function modbusSerial({ serialNumber }: ModbusProfile, serial: string): string {
  if (serialNumber?.type === 'text') return serial.slice(0, 2 * serialNumber.registers);
  const digits = Number.parseInt(serial.replaceAll(/\D/g, '').slice(-9), 10);
  return String(100_000_000 + (digits % 900_000_000));
}

/** To the steps of the meter's own registers, downwards: a display never shows what has not been counted. */
function cut({ registers, instants }: ModbusProfile, quantities: readonly Quantity[]): Quantity[] {
  return [...registers, ...instants].flatMap((entry) => {
    const found = quantities.find(({ obis }) => obis === entry.obis);
    if (found === undefined) return [];
    const scaler = entry.resolution ?? entry.exponent;
    const shift = found.scaler - scaler;
    const value = shift >= 0 ? found.value * 10 ** shift : Math.trunc(found.value / 10 ** -shift);
    return [{ obis: entry.obis, value, scaler }];
  });
}
