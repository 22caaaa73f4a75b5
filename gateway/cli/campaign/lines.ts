import { type Command, type CommandBody, encodeCommand } from '../../../protocol/command/command.ts';
import { COMMAND_ID_BYTES, commandIdOf } from '../../../protocol/command/id.ts';
import { type CommandType, isCommandType, rowOf } from '../../../protocol/command/table.ts';
import { type HesError, isHesError } from '../../../protocol/errors.ts';
import { type DeviceId, isDeviceId, type TenantId } from '../../../protocol/identity.ts';
import { COMMANDS_MAX } from '../../desk/campaigns/limits.ts';
import { argumentsOfTexts, fallbackText, type Texts } from '../op/fill.ts';
import type { Csv, CsvRecord, Fault } from './csv.ts';

/** The lines of a campaign's file as commands that could be signed, or as what is wrong with each. */

export interface Wanted {
  readonly type: CommandType;
  readonly tenant: TenantId;
  /** Arguments of every line, by the names of their options; a column says otherwise. */
  readonly texts: Texts;
  readonly reason: string | null;
  /** Epoch seconds, of all alike. */
  readonly notBefore: number;
  readonly expiry: number;
  readonly nowMs: number;
}

/** What a line asks for, before it has an id and a counter. */
export interface CampaignDraft {
  readonly device: DeviceId;
  readonly body: CommandBody;
  readonly reason: string | null;
  /** Of the file; 0 where it comes from none. */
  readonly line: number;
}

export interface ReadLines {
  readonly drafts: readonly CampaignDraft[];
  readonly faults: readonly Fault[];
}

const DEVICE = 'device';
const REASON = 'reason';
const TYPE = 'type';

/** Columns that a file for this type may have. */
export const columnsOf = (type: CommandType): readonly string[] => [
  DEVICE,
  TYPE,
  REASON,
  ...Object.values(rowOf(type).arguments).map(({ option }) => option),
];

export function readLines(csv: Csv, wanted: Wanted): ReadLines {
  const faults: Fault[] = [...csv.faults, ...headerFaults(csv, wanted)];
  // Where the header is wrong, every line would be, for the same reason.
  if (faults.some(({ line }) => line === 1)) return { drafts: [], faults: inOrder(faults) };
  if (csv.records.length > COMMANDS_MAX)
    return {
      drafts: [],
      faults: [{ line: 1, column: null, why: `the file has more than ${COMMANDS_MAX} lines: divide it` }],
    };
  if (csv.records.length === 0 && faults.length === 0)
    faults.push({ line: 1, column: null, why: 'nothing follows the header' });
  const parse = lineParser(csv, wanted);
  const seen = new Map<DeviceId, number>();
  const drafts: CampaignDraft[] = [];
  for (const record of csv.records) {
    const { draft, found } = parse(record);
    faults.push(...found);
    if (draft === undefined) continue;
    const before = seen.get(draft.device);
    if (before === undefined) {
      seen.set(draft.device, record.line);
      drafts.push(draft);
    } else
      faults.push({ line: record.line, column: DEVICE, why: `is the device of line ${before} once more` });
  }
  return { drafts, faults: inOrder(faults) };
}

const inOrder = (faults: readonly Fault[]): readonly Fault[] => [...faults].sort((a, b) => a.line - b.line);

function headerFaults({ header }: Csv, { type, texts }: Wanted): readonly Fault[] {
  const columns = columnsOf(type);
  const faults: Fault[] = [];
  const say = (column: string | null, why: string): void => {
    faults.push({ line: 1, column, why });
  };
  for (const [index, name] of header.entries()) {
    // A name that is none may be the data of a file without a header: it is not shown.
    if (!columns.includes(name))
      say(`number ${index + 1}`, `is no column of ${type}, which has ${columns.join(', ')}`);
    else if (header.indexOf(name) !== index) say(name, 'is there twice');
  }
  if (!header.includes(DEVICE)) say(DEVICE, 'is missing');
  for (const { option, says } of Object.values(rowOf(type).arguments))
    if (!header.includes(option) && texts[option] === undefined && fallbackText(type, option) === undefined)
      say(option, `is missing, and --set ${option}=… is not given either: ${says}`);
  return faults;
}

type Body = { readonly body: CommandBody } | { readonly faults: readonly Omit<Fault, 'line'>[] };

interface Parsed {
  readonly draft: CampaignDraft | undefined;
  readonly found: readonly Fault[];
}

/** Lines of a park say the same a hundred thousand times: what is said once is checked once. */
function lineParser(csv: Csv, wanted: Wanted): (record: CsvRecord) => Parsed {
  const { type } = wanted;
  const at = (name: string): number => csv.header.indexOf(name);
  const [deviceAt, typeAt, reasonAt] = [at(DEVICE), at(TYPE), at(REASON)];
  const options = Object.values(rowOf(type).arguments)
    .map(({ option }) => ({ option, index: at(option) }))
    .filter(({ index }) => index >= 0);
  const bodies = new Map<string, Body>();
  const reasons = new Map<string, string | null>();

  const cell = (fields: readonly string[], index: number): string =>
    index < 0 ? '' : (fields[index] ?? '').trim();

  function bodyOf(fields: readonly string[]): Body {
    const said = options.map(({ index }) => cell(fields, index));
    const key = said.join('\u0000');
    const known = bodies.get(key);
    if (known !== undefined) return known;
    const texts: Record<string, string> = { ...wanted.texts };
    for (const [index, { option }] of options.entries()) if (said[index] !== '') texts[option] = said[index]!;
    const body = bodyOfTexts(wanted, texts);
    if (bodies.size < BODIES_KEPT_MAX) bodies.set(key, body);
    return body;
  }

  function reasonFault(reason: string | null): string | null {
    const key = reason ?? '';
    let fault = reasons.get(key);
    if (fault === undefined) {
      fault = faultOfReason(wanted, reason);
      if (reasons.size < BODIES_KEPT_MAX) reasons.set(key, fault);
    }
    return fault;
  }

  return ({ line, fields }) => {
    const found: Fault[] = [];
    const device = cell(fields, deviceAt);
    if (!isDeviceId(device))
      found.push({
        line,
        column: DEVICE,
        why: 'is no device id: 16 lower-case hex digits (never an EAN or a serial number)',
      });
    const said = cell(fields, typeAt);
    if (said !== '' && said !== type)
      found.push({
        line,
        column: TYPE,
        why: isCommandType(said) ? `is ${said}; a campaign is of one type: ${type}` : 'is no command',
      });
    const parsed = bodyOf(fields);
    if ('faults' in parsed) for (const fault of parsed.faults) found.push({ line, ...fault });
    const ownReason = cell(fields, reasonAt);
    const reason = ownReason === '' ? wanted.reason : ownReason;
    const fault = reasonFault(reason);
    if (fault !== null) found.push({ line, column: REASON, why: fault });
    const draft =
      found.length > 0 || 'faults' in parsed
        ? undefined
        : { device: device as DeviceId, body: parsed.body, reason, line };
    return { draft, found };
  };
}

/** Distinct arguments that are remembered; a file in which every line has its own is checked line by line. */
const BODIES_KEPT_MAX = 10_000;

function bodyOfTexts({ type, tenant, nowMs }: Wanted, texts: Texts): Body {
  // Each by itself first: so every bad one is named, and what an error would quote is at least of the right form.
  const faults = Object.values(rowOf(type).arguments).flatMap(({ option, says, fromText }) => {
    const text = texts[option];
    return text !== undefined && fromText(text) === undefined
      ? [{ column: option, why: `is not ${says}` }]
      : [];
  });
  if (faults.length > 0) return { faults };
  try {
    return { body: { type, arguments: argumentsOfTexts(type, texts, { tenant, nowMs }) } as CommandBody };
  } catch (error) {
    if (!isHesError(error)) throw error;
    const column = columnOfError(type, error);
    // The member that an error begins with is the column, which is said before it.
    const why = column === null ? error.message : error.message.replace(/^[\w.-]+: /, '');
    return { faults: [{ column, why }] };
  }
}

/** An error names an option, or the member that it becomes. */
function columnOfError(type: CommandType, { code, context, message }: HesError): string | null {
  if (code === 'ERR_OP_PRESET') return 'windows';
  const name = typeof context['field'] === 'string' ? context['field'].split('.')[0] : undefined;
  for (const [member, { option }] of Object.entries(rowOf(type).arguments))
    if (name === member || name === option || message.includes(`--${option}:`)) return option;
  return null;
}

/** Why a reason does not go into a command of this type, or null: the codec that will write it is asked. */
function faultOfReason(wanted: Wanted, reason: string | null): string | null {
  if (reason === null)
    return rowOf(wanted.type).reasonRequired
      ? `is needed: ${wanted.type} is critical, and whoever approves reads it (or --reason for all)`
      : null;
  try {
    encodeCommand({ ...SAMPLE_HEAD, tenant: wanted.tenant, reason, type: 'p1.set', arguments: { on: true } });
    return null;
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.message.replace(/^reason: /, '');
  }
}

const SAMPLE_HEAD: Pick<Command, 'version' | 'device' | 'id' | 'counter' | 'notBefore' | 'expiry'> = {
  version: 1,
  device: '0000000000000000' as DeviceId,
  id: commandIdOf(new Uint8Array(COMMAND_ID_BYTES)),
  counter: 1,
  notBefore: 0,
  expiry: 1,
};
