import { isUtf8 } from 'node:buffer';
import { campaignCliError } from './errors.ts';

/**
 * Comma-separated values as people's programs write them (RFC 4180): `,` or, where the decimal sign is a comma, `;`
 * between the fields; fields in quotes where they hold one of these, a quote or a line end; CRLF or LF; a byte order
 * mark in front. What is wrong is named with its line and never quoted: a wrong column may hold anything.
 */

export interface Fault {
  /** From 1, as an editor counts; a record in quotes begins on its first line. */
  readonly line: number;
  readonly column: string | null;
  readonly why: string;
}

export interface CsvRecord {
  readonly line: number;
  readonly fields: readonly string[];
}

export interface Csv {
  readonly delimiter: ',' | ';';
  readonly header: readonly string[];
  readonly records: readonly CsvRecord[];
  readonly faults: readonly Fault[];
}

/** A quarter of a million lines with windows in each. */
export const CSV_BYTES_MAX = 64 * 1_048_576;
/** A message of 320 characters is the longest argument, switching windows come near. */
const FIELD_LENGTH_MAX = 1_024;
const BYTE_ORDER_MARK = '\uFEFF';

/** @throws ERR_CAMPAIGN_CSV where nothing can be read of it; what is wrong with single lines is in `faults` */
export function parseCsv(bytes: Uint8Array): Csv {
  if (bytes.length > CSV_BYTES_MAX)
    throw campaignCliError('ERR_CAMPAIGN_CSV', `larger than ${CSV_BYTES_MAX / 1_048_576} MiB`);
  if (!isUtf8(bytes))
    throw campaignCliError('ERR_CAMPAIGN_CSV', 'not UTF-8: save it as "CSV UTF-8" and check its accents');
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const body = text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text;
  const delimiter = delimiterOf(body);
  const faults: Fault[] = [];
  const records = [...recordsOf(body, delimiter, faults)];
  const [first, ...rest] = records;
  if (first === undefined) throw campaignCliError('ERR_CAMPAIGN_CSV', 'empty: it begins with a header line');
  const header = first.fields.map((name) => name.trim().toLowerCase());
  const whole: CsvRecord[] = [];
  for (const record of rest)
    if (record.fields.length === header.length) whole.push(record);
    else if (!faults.some(({ line }) => line === record.line))
      faults.push({
        line: record.line,
        column: null,
        why: `has ${record.fields.length} fields, and the header has ${header.length}`,
      });
  return { delimiter, header, records: whole, faults };
}

/** The one that the header has more of; names of columns have neither. */
function delimiterOf(text: string): ',' | ';' {
  const end = text.search(/\r?\n/);
  const header = end < 0 ? text : text.slice(0, end);
  return header.split(';').length > header.split(',').length ? ';' : ',';
}

/** Lines without anything on them are none. */
function* recordsOf(text: string, delimiter: string, faults: Fault[]): Generator<CsvRecord> {
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const begun = line;
    const fields: string[] = [];
    let fault: string | undefined;
    for (;;) {
      let field: string;
      if (text[at] === '"') {
        const end = closingQuote(text, at + 1);
        if (end === undefined) {
          faults.push({ line: begun, column: null, why: 'has a quote that is not closed' });
          return;
        }
        field = text.slice(at + 1, end).replaceAll('""', '"');
        line += field.split('\n').length - 1;
        at = end + 1;
        const rest = endOfField(text, at, delimiter);
        if (text.slice(at, rest).trim() !== '') fault = 'has characters behind a closing quote';
        at = rest;
      } else {
        const end = endOfField(text, at, delimiter);
        field = text.slice(at, end);
        if (field.endsWith('\r')) field = field.slice(0, -1);
        if (field.includes('"')) fault = 'has a quote within a field that does not begin with one';
        at = end;
      }
      if (field.length > FIELD_LENGTH_MAX) fault = `has a field of more than ${FIELD_LENGTH_MAX} characters`;
      fields.push(field);
      if (text[at] === delimiter) at += 1;
      else break;
    }
    at += 1;
    line += 1;
    if (fields.length === 1 && fields[0]!.trim() === '') continue;
    if (fault === undefined) yield { line: begun, fields };
    else faults.push({ line: begun, column: null, why: fault });
  }
}

function closingQuote(text: string, from: number): number | undefined {
  let at = from;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return undefined;
    if (text[quote + 1] !== '"') return quote;
    at = quote + 2;
  }
}

/** Where a field without quotes ends: at its delimiter or the line's end. */
function endOfField(text: string, from: number, delimiter: string): number {
  for (let at = from; at < text.length; at += 1) {
    const character = text[at];
    if (character === delimiter || character === '\n') return at;
  }
  return text.length;
}

/** A field as it is written: in quotes where it must be, and never as what a spreadsheet would take for a formula. */
export function csvField(value: string | number | null): string {
  const text = value === null ? '' : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) && typeof value === 'string' ? `'${text}` : text;
  return /[",;\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvLine = (fields: readonly (string | number | null)[]): string =>
  `${fields.map(csvField).join(',')}\n`;
