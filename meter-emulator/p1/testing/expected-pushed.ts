import type { P1Quantity } from '../../../gateway/edge/p1/telegram.ts';
import type { P1MeterState } from '../state.ts';
import { active, exported, imported, type Part } from './expected-parts.ts';
import { IMPORTS, localDigits, phasesOf, quantity } from './quantities.ts';

const fine = (state: P1MeterState, before: number, behind: number): P1Quantity[] => [
  quantity('1-0:1.8.0', imported(state) * 10 ** (behind - 3), before, behind, 'kWh'),
  quantity('1-0:2.8.0', exported(state) * 10 ** (behind - 3), before, behind, 'kWh'),
];
const signed = ({ phases }: P1MeterState, codes: readonly string[]): P1Quantity[] =>
  phasesOf(phases, codes, (code, { importW, exportW }) =>
    quantity(code, (importW - exportW) * 100, 6, 2, 'W'),
  );
const easymeter: Part = (state) => ({
  crc: 'absent',
  serial: `1ESY${state.serial}`,
  registers: fine(state, 8, 7),
  instants: [...signed(state, IMPORTS), quantity('1-0:1.7.0', active(state) * 100, 6, 2, 'W')],
  unknown: ['1-0:96.5.5*255(80)'],
});
const ebz: Part = (state) => ({
  crc: 'absent',
  serial: state.serial,
  registers: fine(state, 6, 8),
  instants: [quantity('1-0:16.7.0', active(state) * 100, 6, 2, 'W')],
  others: signed(state, ['1-0:36.7.0', '1-0:56.7.0', '1-0:76.7.0']),
  unknown: ['1-0:96.5.0*255(001C0104)', '0-0:96.8.0*255(02FAB8BF)'],
});
const iskra: Part = (state) => ({
  crc: 'absent',
  serial: state.serial,
  registers: fine(state, 7, 3),
  unknown: [
    `1-0:0.9.2*255(0${localDigits(state.time).slice(0, 6)})`,
    `1-0:0.9.1*255(${localDigits(state.time).slice(6)})`,
    '0-0:97.97.0*255(00000000)',
  ],
});

export const EXPECTED_PUSHED = {
  'easymeter-q3d': easymeter,
  'ebz-dd3': ebz,
  'iskra-mt174': iskra,
} as const satisfies Readonly<Record<string, Part>>;
