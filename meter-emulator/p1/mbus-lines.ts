import { END } from './lines.ts';
import type { Line } from './row.ts';
import type { P1DeviceState, P1MeterState } from './state.ts';

/** How a dialect prints an M-Bus device: the register by type, the code of its serial number, whether an EAN. */
export interface DeviceStyle {
  readonly registers: Readonly<Record<P1DeviceState['deviceType'], string>>;
  readonly serial: string;
  readonly ean: boolean;
  /** Where the valve stands: in front of the reading unless told, behind it as in Luxembourg, or nowhere. */
  readonly valve?: 'first' | 'last' | 'none';
}

const HEAT = 4;

export const devices =
  ({ registers, serial, ean, valve = 'first' }: DeviceStyle): Line =>
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
      if (device.valve !== null && valve === 'first')
        out.text(prefix).text('24.4.0(').number(device.valve, 1).text(END);
      out.text(prefix).text(registers[device.deviceType]).time(device.time).text(')(');
      out.number(device.value, 5, 3).text(device.deviceType === HEAT ? '*GJ)\r\n' : '*m3)\r\n');
      if (device.valve !== null && valve === 'last')
        out.text(prefix).text('24.4.0(').number(device.valve, 1).text(END);
    }
  };

export const DUTCH_DEVICES: DeviceStyle = {
  registers: { 3: '24.2.1(', 4: '24.2.1(', 7: '24.2.1(' },
  serial: '96.1.0(',
  ean: false,
};

/** DSMR P1 4.2.2 and 5.0.2 §6.12 "slave E meter": device type 2, six places of kWh. */
export const slaves: Line = (out, state) => {
  for (const { channel, serial, time, energyWh } of state.slaves ?? []) {
    const prefix = `0-${channel}:`;
    out.text(prefix).text('24.1.0(002)\r\n');
    out.text(prefix).text('96.1.0(').hex(serial).text(END);
    out.text(prefix).text('24.2.1(').time(time).text(')(').number(energyWh, 6, 3).text('*kWh)\r\n');
  }
};

const CHANNELS = [1, 2, 3, 4] as const;

/** Channels on which nothing hangs that the dialect prints. */
export const emptyChannels =
  (
    print: (channel: number) => string,
    printed: (state: P1MeterState) => readonly { channel: number }[],
  ): Line =>
  (out, state) => {
    const used = printed(state);
    for (const channel of CHANNELS)
      if (!used.some((one) => one.channel === channel)) out.text(print(channel));
  };

const HEAT_DECIMALS = 2;
const VOLUME_DECIMALS = 3;
/** Thousandths of a GJ to hundredths: the old form prints heat with two decimals. */
const HEAT_STEP = 10;

/**
 * DSMR 2.2 and 3: the value stands on a line of its own behind status, minutes, number of values, code and unit;
 * its time has no letter, and the type of device has as many digits as the meter likes.
 */
export const legacyDevices =
  (typePlaces: number, valve: (device: P1DeviceState) => number | null): Line =>
  (out, state) => {
    for (const device of state.devices) {
      const prefix = `0-${device.channel}:`;
      const isHeat = device.deviceType === HEAT;
      out.text(prefix).text('24.1.0(').number(device.deviceType, typePlaces).text(END);
      out.text(prefix).text('96.1.0(').hex(device.serial).text(END);
      out.text(prefix).text('24.3.0(').letterless(device.time).text(')(00)(60)(1)(');
      out.text(prefix).text(isHeat ? '24.2.1)(GJ)\r\n(' : '24.2.1)(m3)\r\n(');
      if (isHeat) out.number(Math.floor(device.value / HEAT_STEP), 5, HEAT_DECIMALS);
      else out.number(device.value, 5, VOLUME_DECIMALS);
      out.text(END);
      const state = valve(device);
      if (state !== null) out.text(prefix).text('24.4.0(').number(state, 1).text(END);
    }
  };
