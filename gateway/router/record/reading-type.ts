import type { Medium, ObisCode, Unit } from '../../../protocol/reading.ts';
import {
  ACCUMULATION,
  AGGREGATE,
  COMMODITY,
  MACRO_PERIOD,
  MEASURING_PERIOD,
  READING_TYPES,
  type ReadingTypeFields,
  UNITS,
} from './reading-types.ts';

/** What part of the daily index a number stands in: the same OBIS code is another reading type in each. */
export type Role = 'register' | 'peak' | 'minimum' | 'maximum' | { readonly periodSeconds: number };

export interface ReadingType {
  /** The 18 fields. Where nothing is known of the OBIS code: commodity, multiplier and unit, the rest 0. */
  readonly ref: string;
  /** The power of ten in which values are stated. */
  readonly multiplier: number;
  readonly mapped: boolean;
}

const ROWS = new Map(READING_TYPES.map((row) => [rowKey(row.medium, row.obis, row.unit), row.fields]));

function rowKey(medium: Medium, obis: string, unit: Unit): string {
  return `${medium} ${obis} ${unit}`;
}

/** `0-2:24.2.1` is looked up as `0-n:24.2.1`: channels are places, not quantities. */
const MBUS_CHANNEL = /^0-[1-9][0-9]?:24\./;

/**
 * The reading type of a number, IEC 61968-9 annex C. A code that the table does not have, or has in another
 * unit, is not dropped: it comes out unmapped, with its unit right, and the record marks it.
 */
export function readingType(medium: Medium, obis: ObisCode, unit: Unit, role: Role): ReadingType {
  const name = MBUS_CHANNEL.test(obis) ? obis.replace(/^0-[0-9]+/, '0-n') : obis;
  const row = ROWS.get(rowKey(medium, name, unit));
  const fields = row === undefined ? undefined : inRole(row, role);
  if (fields !== undefined) return { ref: code(fields), multiplier: fields.multiplier, mapped: true };
  const { code: unitCode, multiplier } = UNITS[unit];
  const bare = { commodity: COMMODITY[medium], kind: 0, multiplier, unit: unitCode };
  return { ref: code(bare), multiplier, mapped: false };
}

function inRole(row: ReadingTypeFields, role: Role): ReadingTypeFields | undefined {
  if (role === 'register') return row;
  if (role === 'peak') return row.macroPeriod === MACRO_PERIOD.monthly ? row : undefined;
  if (role === 'minimum') return { ...row, macroPeriod: MACRO_PERIOD.daily, aggregate: AGGREGATE.minimum };
  if (role === 'maximum') return { ...row, macroPeriod: MACRO_PERIOD.daily, aggregate: AGGREGATE.maximum };
  const measuringPeriod = MEASURING_PERIOD[role.periodSeconds];
  if (measuringPeriod === undefined) return undefined;
  return { ...row, measuringPeriod, accumulation: ACCUMULATION.deltaData };
}

function code(fields: ReadingTypeFields): string {
  const { macroPeriod = 0, aggregate = 0, measuringPeriod = 0, accumulation = 0, flow = 0 } = fields;
  const { commodity, kind, tou = 0, phases = 0, multiplier, unit } = fields;
  return [macroPeriod, aggregate, measuringPeriod, accumulation, flow, commodity, kind]
    .concat([0, 0, 0, 0, tou, 0, 0, phases, multiplier, unit, 0])
    .join('.');
}
