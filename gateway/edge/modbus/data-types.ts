/** How a number lies in registers of 16 bits: how many of them, and what its bits mean. */
export const DATA_TYPES = {
  u16: { registers: 1, kind: 'unsigned' },
  i16: { registers: 1, kind: 'signed' },
  u32: { registers: 2, kind: 'unsigned' },
  i32: { registers: 2, kind: 'signed' },
  u64: { registers: 4, kind: 'unsigned' },
  i64: { registers: 4, kind: 'signed' },
  float32: { registers: 2, kind: 'float' },
  float64: { registers: 4, kind: 'float' },
} as const;

export type DataType = keyof typeof DATA_TYPES;

export function registersOf(type: DataType): number {
  return DATA_TYPES[type].registers;
}
