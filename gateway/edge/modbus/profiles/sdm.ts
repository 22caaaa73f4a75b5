import type { ModbusProfileInput } from '../profile.ts';

/** What the Eastron meters have in common: float32, high word first, input registers, kWh. */
const common = {
  maker: 'Eastron',
  function: 4,
  words: 'high-first',
  line: { baud: 9600, parity: 'none', stopBits: 1, unit: 1 },
  serialNumber: { address: 0xfc00, type: 'u32', function: 3 },
} as const;

const energy = [
  { obis: '1-0:1.8.0', address: 0x48, type: 'float32', unit: 'Wh', exponent: 3, resolution: 1 },
  { obis: '1-0:2.8.0', address: 0x4a, type: 'float32', unit: 'Wh', exponent: 3, resolution: 1 },
] as const;

const reactive = [
  {
    obis: '1-0:3.8.0',
    address: 0x4c,
    type: 'float32',
    unit: 'varh',
    exponent: 3,
    resolution: 1,
    optional: true,
  },
  {
    obis: '1-0:4.8.0',
    address: 0x4e,
    type: 'float32',
    unit: 'varh',
    exponent: 3,
    resolution: 1,
    optional: true,
  },
] as const;

const V = { type: 'float32', unit: 'V', resolution: -1 } as const;
const A = { type: 'float32', unit: 'A', resolution: -2 } as const;
const W = { type: 'float32', unit: 'W', resolution: 0 } as const;

const floatNote =
  'A float32 has 24 bits: up to 131,072 kWh each step of 0.01 kWh has its own float. Above, the register itself gets coarser (0.016 kWh), not the reading of it.';
const identityNote =
  '[v] Serial number FC00h and meter code FC02h (function 3) are in newer editions of the protocol; an older meter answers with an exception. Then give the serial in the configuration.';

export const sdm630: ModbusProfileInput = {
  ...common,
  name: 'sdm630',
  model: 'SDM630-Modbus V2, three phases',
  limits: { registersMax: 80, even: true, gapMax: 40 },
  identify: { address: 0xfc02, type: 'u16', values: [0x70], function: 3 },
  registers: [...energy, ...reactive],
  instants: [
    { obis: '1-0:32.7.0', address: 0x00, ...V },
    { obis: '1-0:52.7.0', address: 0x02, ...V },
    { obis: '1-0:72.7.0', address: 0x04, ...V },
    { obis: '1-0:31.7.0', address: 0x06, ...A },
    { obis: '1-0:51.7.0', address: 0x08, ...A },
    { obis: '1-0:71.7.0', address: 0x0a, ...A },
    { obis: '1-0:16.7.0', address: 0x34, ...W },
  ],
  sources: [
    'Eastron SDM630-Modbus V2 protocol: 40 parameters a request, even counts',
    'volkszaehler/mbmd sdm.go',
  ],
  notes: [
    floatNote,
    identityNote,
    'One request takes all of 00h to 4Fh: 80 registers, the most that the meter answers to. Addresses in between that mean nothing are answered with 0 [v]; set limits.gapMax to 0 if a meter refuses.',
  ],
};

const onePhase = [
  { obis: '1-0:32.7.0', address: 0x00, ...V },
  { obis: '1-0:31.7.0', address: 0x06, ...A },
  { obis: '1-0:16.7.0', address: 0x0c, ...W },
] as const;

export const sdm120: ModbusProfileInput = {
  ...common,
  name: 'sdm120',
  model: 'SDM120-Modbus, one phase',
  line: { ...common.line, baud: 2400 },
  limits: { registersMax: 80, even: true, gapMax: 4 },
  identify: { address: 0xfc02, type: 'u16', values: [0x20], function: 3 },
  registers: [...energy, ...reactive],
  instants: [...onePhase],
  sources: ['volkszaehler/mbmd sdm120.go', 'Eastron SDM120-Modbus protocol'],
  notes: [
    floatNote,
    identityNote,
    '[v] Leaves the factory at 2400 baud; editions with 9600 exist.',
    'Only addresses 4 apart are read together: what lies between is not defined for one phase.',
  ],
};

export const sdm230: ModbusProfileInput = {
  ...common,
  name: 'sdm230',
  model: 'SDM230-Modbus, one phase',
  limits: { registersMax: 80, even: true, gapMax: 4 },
  identify: { address: 0xfc02, type: 'u16', values: [0x2b], function: 3 },
  registers: [...energy, ...reactive],
  instants: [...onePhase],
  sources: ['volkszaehler/mbmd sdm230.go', 'Eastron SDM230-Modbus protocol'],
  notes: [
    floatNote,
    identityNote,
    '[v] Some editions leave the factory at 2400 baud.',
    'Only addresses 4 apart are read together: what lies between is not defined for one phase.',
  ],
};
