import type { ModbusProfileInput } from '../profile.ts';

const V = { type: 'i32', unit: 'V', exponent: -1 } as const;
const A = { type: 'i32', unit: 'A', exponent: -3 } as const;
const Wh = { type: 'i32', unit: 'Wh', exponent: 2 } as const;

/** int32 with the low word first, input registers; energy in tenths of a kWh. */
const common = {
  maker: 'Carlo Gavazzi',
  function: 4,
  words: 'low-first',
  line: { baud: 9600, parity: 'none', stopBits: 1, unit: 1 },
  invalid: { i32: ['7fffffff'], i16: ['7fff'] },
} as const;

const phases: ModbusProfileInput['instants'] = [
  { obis: '1-0:32.7.0', address: 0x00, ...V },
  { obis: '1-0:52.7.0', address: 0x02, ...V, optional: true },
  { obis: '1-0:72.7.0', address: 0x04, ...V, optional: true },
  { obis: '1-0:31.7.0', address: 0x0c, ...A },
  { obis: '1-0:51.7.0', address: 0x0e, ...A, optional: true },
  { obis: '1-0:71.7.0', address: 0x10, ...A, optional: true },
  { obis: '1-0:16.7.0', address: 0x28, type: 'i32', unit: 'W', exponent: -1 },
];

const overflow = 'A value beyond its range reads 7FFFFFFFh (display: EEE).';

export const em340: ModbusProfileInput = {
  ...common,
  invalid: { i32: ['7fffffff'], i16: ['7fff'] },
  name: 'em340',
  model: 'EM340 (also EM330, ET330, ET340), three phases',
  limits: { registersMax: 50, gapMax: 24 },
  serialNumber: { address: 0x5000, type: 'text', registers: 7 },
  identify: {
    address: 0x0b,
    type: 'u16',
    values: [330, 331, 332, 333, 334, 335, 336, 340, 341, 342, 343, 344, 345, 346],
  },
  registers: [
    { obis: '1-0:1.8.0', address: 0x34, ...Wh },
    { obis: '1-0:2.8.0', address: 0x4e, ...Wh },
  ],
  instants: phases,
  sources: [
    'EM300/ET300 series communication protocol V2 R17',
    'volkszaehler/mbmd carlogavazzi-ex3x0.go',
    'victronenergy/dbus-cgwacs',
  ],
  notes: [
    overflow,
    'At most 50 registers a read; the map from 00h to 61h has no holes.',
    '[v] Which identification code (000Bh) belongs to which model; Victron takes what is neither EM24 nor ET112 for this family.',
    'With measurement "A" (easy connection) all energy counts as import and 2.8.0 stays 0; set the meter to "B" to count both ways.',
    'The serial number has a zero in the high byte of each register, or zeros at its end, by model.',
  ],
};

export const em24: ModbusProfileInput = {
  ...common,
  invalid: { i32: ['7fffffff'], i16: ['7fff'] },
  name: 'em24',
  model: 'EM24-DIN with RS-485 (X, PFA, PFB), three phases',
  limits: { registersMax: 11, gapMax: 0 },
  serialNumber: { address: 0x1300, type: 'text', registers: 7 },
  identify: { address: 0x0b, type: 'u16', values: [71, 72, 73] },
  registers: [
    { obis: '1-0:1.8.0', address: 0x3e, ...Wh },
    { obis: '1-0:2.8.0', address: 0x5c, ...Wh },
  ],
  instants: phases,
  sources: [
    'EM24-DIN PFA, PFB & X models communication protocol V3',
    'victronenergy/dbus-cgwacs',
    'volkszaehler/mbmd carlogavazzi-em24.go',
  ],
  notes: [
    overflow,
    '[v] At most 11 registers a read; newer editions answer to more.',
    'Total import is 3Eh (as Victron reads it). 42h, which others read, is the partial counter that a person can set to zero.',
    'Meters made before 2013 have no serial number at 1300h: give it in the configuration.',
    'Export counts only in application H (Victron sets it); in others 5Ch stays 0.',
  ],
};

export const em24Ethernet: ModbusProfileInput = {
  ...common,
  invalid: { i32: ['7fffffff'], i16: ['7fff'] },
  name: 'em24-e1',
  model: 'EM24 Ethernet (E1), three phases',
  limits: { registersMax: 50, gapMax: 24 },
  serialNumber: { address: 0x5000, type: 'text', registers: 7 },
  identify: { address: 0x0b, type: 'u16', values: [1648, 1649, 1650, 1651, 1652, 1653] },
  registers: [
    { obis: '1-0:1.8.0', address: 0x34, ...Wh },
    { obis: '1-0:2.8.0', address: 0x4e, ...Wh },
  ],
  instants: phases,
  sources: [
    'EM24 Ethernet communication protocol V0 R1.2',
    'volkszaehler/mbmd carlogavazzi-em24_e1.go',
    'victronenergy/dbus-modbus-client carlo_gavazzi.py',
  ],
  notes: [
    overflow,
    'Registers are those of the EM340, not those of the EM24 with RS-485.',
    '[v] At most 50 registers a read, taken over from the EM340.',
    'Export counts only in application H (register A000h = 7).',
  ],
};
