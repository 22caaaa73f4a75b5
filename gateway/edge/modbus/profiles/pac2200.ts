import type { ModbusProfileInput } from '../profile.ts';

const V = { type: 'float32', unit: 'V', resolution: -1 } as const;
const A = { type: 'float32', unit: 'A', resolution: -2 } as const;
const Wh = { type: 'float64', unit: 'Wh', resolution: 0 } as const;

export const pac2200: ModbusProfileInput = {
  name: 'pac2200',
  maker: 'Siemens',
  model: 'SENTRON 7KM PAC2200, three phases',
  function: 4,
  words: 'high-first',
  line: { baud: 19200, parity: 'none', stopBits: 2, unit: 126 },
  limits: { registersMax: 125, gapMax: 6 },
  registers: [
    { obis: '1-0:1.8.1', address: 801, ...Wh },
    { obis: '1-0:1.8.2', address: 805, ...Wh },
    { obis: '1-0:2.8.1', address: 809, ...Wh },
    { obis: '1-0:2.8.2', address: 813, ...Wh },
  ],
  instants: [
    { obis: '1-0:32.7.0', address: 1, ...V },
    { obis: '1-0:52.7.0', address: 3, ...V, optional: true },
    { obis: '1-0:72.7.0', address: 5, ...V, optional: true },
    { obis: '1-0:31.7.0', address: 13, ...A },
    { obis: '1-0:51.7.0', address: 15, ...A, optional: true },
    { obis: '1-0:71.7.0', address: 17, ...A, optional: true },
    { obis: '1-0:16.7.0', address: 65, type: 'float32', unit: 'W', resolution: 0 },
  ],
  sources: [
    'Siemens L1V30415167B SENTRON PAC2200 equipment manual, appendix A.1',
    'volkszaehler/mbmd pac2200.go',
  ],
  notes: [
    'There is no total of energy: tariffs 1 (main) and 2 (secondary) are read and sent as rates 1 and 2.',
    'Energy overflows at 1.0e12 Wh; a float64 carries each Wh up to there exactly.',
    '[v] No register of the serial number was found that all editions have (I&M data at 64001 is undocumented for PAC2200): give it in the configuration.',
    '[v] Defaults of the RS-485 edition: 19200 8N2, unit 126. Over Modbus TCP any unit id is answered.',
  ],
};
