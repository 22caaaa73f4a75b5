import type { ModbusProfileInput } from '../profile.ts';

const V = { type: 'u32', unit: 'V', exponent: -1 } as const;
const A = { type: 'u32', unit: 'A', exponent: -2 } as const;
const Wh = { type: 'u64', unit: 'Wh', exponent: 1 } as const;

/** The B series: integers, high word first, holding registers; energy in hundredths of a kWh. */
const common: Omit<ModbusProfileInput, 'name' | 'model'> = {
  maker: 'ABB',
  function: 3,
  words: 'high-first',
  line: { baud: 9600, parity: 'none', stopBits: 1, unit: 1 },
  limits: { registersMax: 125, gapMax: 6 },
  invalid: {
    u16: ['ffff'],
    i16: ['7fff'],
    u32: ['ffffffff'],
    i32: ['7fffffff'],
    u64: ['ffffffffffffffff'],
    i64: ['7fffffffffffffff'],
  },
  serialNumber: { address: 0x8900, type: 'u32' },
  registers: [
    { obis: '1-0:1.8.0', address: 0x5000, ...Wh },
    {
      obis: '1-0:2.8.0',
      address: 0x5004,
      ...Wh,
      optional: true,
      note: 'the steel and copper editions measure import only and say "invalid" here',
    },
    { obis: '1-0:1.8.1', address: 0x5170, ...Wh, optional: true },
    { obis: '1-0:1.8.2', address: 0x5174, ...Wh, optional: true },
  ],
  instants: [
    { obis: '1-0:32.7.0', address: 0x5b00, ...V },
    { obis: '1-0:52.7.0', address: 0x5b02, ...V, optional: true },
    { obis: '1-0:72.7.0', address: 0x5b04, ...V, optional: true },
    { obis: '1-0:31.7.0', address: 0x5b0c, ...A },
    { obis: '1-0:51.7.0', address: 0x5b0e, ...A, optional: true },
    { obis: '1-0:71.7.0', address: 0x5b10, ...A, optional: true },
    { obis: '1-0:16.7.0', address: 0x5b14, type: 'i32', unit: 'W', exponent: -2 },
  ],
  sources: [
    'ABB B23/B24 user manual 2CMC485003M0201',
    'volkszaehler/mbmd abb.go',
    'victronenergy/dbus-modbus-client abb.py',
  ],
  notes: [
    'What a wiring or edition does not measure holds FFFF… (unsigned) or 7FFF… (signed), never 0.',
    '[v] Tariffs 1 and 2 of import are at 5170h and 5174h (silver edition and above); a meter without them answers with an exception or "invalid", and they are left out.',
    '[v] 19200 8E1 is what some lots leave the factory with.',
  ],
};

export const abbB23: ModbusProfileInput = {
  ...common,
  name: 'abb-b23',
  model: 'B23, direct, 65 A',
  identify: { address: 0x8960, type: 'text', registers: 6, values: ['B23'] },
};

export const abbB24: ModbusProfileInput = {
  ...common,
  name: 'abb-b24',
  model: 'B24, current transformers',
  identify: { address: 0x8960, type: 'text', registers: 6, values: ['B24'] },
};
