import { clock, fixed, hexLine, message, plainLine } from './lines.ts';
import { dialect, type Line } from './row.ts';

/** The heat meter that the port belongs to, as its own first M-Bus device; its number is printed plain. */
const heat: Line = (out, { devices }) => {
  for (const { channel, deviceType, serial, time, value } of devices) {
    if (deviceType !== 4) continue;
    out.text(`0-${channel}:24.1.0(004)\r\n0-${channel}:96.1.0(`).text(serial).text(')\r\n');
    out.text(`0-${channel}:24.2.1(`).time(time).text(')(').number(value, 3, 3).text('*GJ)\r\n');
  }
};

export const OTHER_MEDIA = {
  'heat-nl': dialect({
    after:
      'a heat meter with a port of its own (Dutch district heating): no electricity, a CRC without leading zeros',
    header: 'SIM-WARMTE',
    periodSeconds: 10,
    ends: 'short crc',
    lines: [
      fixed('1-3:0.2.8(50)\r\n'),
      clock,
      plainLine('0-0:96.1.1(', ({ serial }) => serial),
      hexLine('0-0:96.13.1(', ({ messageCode = '' }) => messageCode),
      message,
      heat,
    ],
  }),
} as const;
