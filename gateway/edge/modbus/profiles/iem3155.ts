import type { ModbusProfileInput } from '../profile.ts';

const V = { type: 'float32', unit: 'V', resolution: -1 } as const;
const A = { type: 'float32', unit: 'A', resolution: -2 } as const;
const Wh = { type: 'i64', unit: 'Wh', exponent: 0 } as const;

export const iem3155: ModbusProfileInput = {
  name: 'iem3155',
  maker: 'Schneider Electric',
  model: 'iEM3155 (also iEM3150, 3250, 3255, 3350, 3355), three phases',
  function: 3,
  words: 'high-first',
  line: { baud: 19200, parity: 'even', stopBits: 1, unit: 1 },
  limits: { registersMax: 125, gapMax: 0 },
  invalid: { i64: ['8000000000000000'], u32: ['ffffffff'] },
  serialNumber: { address: 129, type: 'u32' },
  identify: { address: 49, type: 'text', registers: 20, values: ['iEM31', 'iEM32', 'iEM33'] },
  registers: [
    { obis: '1-0:1.8.0', address: 0x0c83, ...Wh },
    {
      obis: '1-0:2.8.0',
      address: 0x0c87,
      ...Wh,
      optional: true,
      note: 'iEM3150, 3250 and 3350 measure import only',
    },
  ],
  instants: [
    { obis: '1-0:31.7.0', address: 0x0bb7, ...A },
    { obis: '1-0:51.7.0', address: 0x0bb9, ...A, optional: true },
    { obis: '1-0:71.7.0', address: 0x0bbb, ...A, optional: true },
    { obis: '1-0:32.7.0', address: 0x0bd3, ...V },
    { obis: '1-0:52.7.0', address: 0x0bd5, ...V, optional: true },
    { obis: '1-0:72.7.0', address: 0x0bd7, ...V, optional: true },
    { obis: '1-0:16.7.0', address: 0x0bf3, type: 'float32', unit: 'W', exponent: 3, resolution: 0 },
  ],
  sources: ['Schneider DOCA0005EN iEM3100/3200/3300 user manual, register list'],
  notes: [
    'The manual counts registers from 1 (3204, 3208, 130): the wire has one less.',
    'Energy is an integer of Wh; the float32 copies at 45100 lose digits and are not used.',
    '[v] 8000000000000000h as "not available" of int64, and NaN (FFC00000h) of float32.',
    '[v] Leaves the factory with 19200 8E1; set to 9600 8N1 by many installers.',
    'Holes in the map are not read over: it is not documented what the meter answers there.',
  ],
};
