import type { Unit } from '../../../protocol/reading.ts';

export interface ShownQuantity {
  readonly obis: string;
  /** Decimal, with the digits that the register has. */
  readonly value: string;
  readonly unit: string;
}

/** Energy and volume are read by people in thousands; the number of digits stays what the register has. */
const KILO: Partial<Record<Unit, string>> = {
  Wh: 'kWh',
  varh: 'kvarh',
  VAh: 'kVAh',
  W: 'kW',
  var: 'kvar',
  VA: 'kVA',
};

export function shownQuantity(one: {
  readonly obis: string;
  readonly value: number;
  readonly scaler: number;
  readonly unit: Unit;
}): ShownQuantity {
  const kilo = KILO[one.unit];
  return {
    obis: one.obis,
    value: decimal(one.value, kilo === undefined ? one.scaler : one.scaler - 3),
    unit: kilo ?? one.unit,
  };
}

/** `value × 10^scaler` as decimal text, without leading zeros. */
export function decimal(value: number, scaler: number): string {
  const sign = value < 0 ? '-' : '';
  const digits = String(Math.abs(value));
  if (scaler >= 0) return value === 0 ? '0' : sign + digits + '0'.repeat(scaler);
  const padded = digits.padStart(1 - scaler, '0');
  return `${sign}${padded.slice(0, scaler)}.${padded.slice(scaler)}`;
}

/** Columns, the last but one to the right. */
export function table(rows: readonly ShownQuantity[]): string {
  const width = Math.max(...rows.map(({ value }) => value.length));
  return rows.map(({ obis, value, unit }) => `${obis.padEnd(14)}${value.padStart(width)} ${unit}\n`).join('');
}
