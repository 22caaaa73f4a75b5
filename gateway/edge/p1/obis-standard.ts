import { type ObisRow, ROW_KINDS, type RowKind } from './obis.ts';

/**
 * What no row of the table names and the standard does (IEC 62056-61 §5.3 to 5.6): some hundred thousand codes by
 * rule. Lithuania prints averages (32.24.0), apparent power by phase (29.7.0) and how long a swell lasted
 * (32.37.0). They are numbers that somebody may want to see; the edge keeps none of them.
 */
const ELECTRICITY = 1;
/** Value group C of electricity: 0 general, 1 to 80 by phase and direction, 81 to 91 angles, losses, neutral. */
const ELECTRICITY_C_MAX = 91;
/** Value group D: 1 to 65 are processing methods, what is above is the manufacturer's or reserved. */
const D_MAX = 65;

/** Value group A of other media: heat cost, cooling, heat, gas, cold and hot water. */
const OTHER_MEDIA_FIRST = 4;
const OTHER_MEDIA_LAST = 9;
const VALVE_C = 24;
const VALVE_D = 4;

/** IEC 62056-61 §5.2: letters stand for the group C of abstract objects in reduced ID codes. */
const LETTERS: Readonly<Record<string, number>> = { C: 96, F: 97, L: 98, P: 99 };

/** The group C that a letter stands for, or -1. */
export function reducedGroupC(byte: number): number {
  return LETTERS[String.fromCharCode(byte)] ?? -1;
}

const INDEX_OTHER = ROW_KINDS.indexOf('other');
const INDEX_MEDIUM_READING = ROW_KINDS.indexOf('mediumReading');
const INDEX_MEDIUM_VALVE = ROW_KINDS.indexOf('mediumValve');

/** A row made for one line, or undefined where the standard says nothing either. None is kept. */
export function standardRow(a: number, c: number, d: number, e: number): ObisRow | undefined {
  if (a === ELECTRICITY)
    return c <= ELECTRICITY_C_MAX && d >= 1 && d <= D_MAX ? row(INDEX_OTHER, 'other', a, c, d, e) : undefined;
  if (a < OTHER_MEDIA_FIRST || a > OTHER_MEDIA_LAST) return undefined;
  return c === VALVE_C && d === VALVE_D
    ? row(INDEX_MEDIUM_VALVE, 'mediumValve', a, c, d, e)
    : row(INDEX_MEDIUM_READING, 'mediumReading', a, c, d, e);
}

function row(index: number, kind: RowKind, a: number, c: number, d: number, e: number): ObisRow {
  return { index, kind, code: `${c}.${d}.${e}`, a: [a], what: '', unit: null, names: [] };
}
