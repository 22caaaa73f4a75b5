import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';

/** What the simulated MDM says about one record. */
export type Judgement =
  | { readonly id: string; readonly verdict: 'accepted' }
  | { readonly id: string; readonly verdict: 'duplicate' }
  | { readonly id: string; readonly verdict: 'rejected'; readonly code: RejectionCode }
  | { readonly id: string; readonly verdict: 'retry' };

/** Why a record is rejected: not of the schema, of another tenant, or with a key that is not its own. */
export const REJECTION_CODES = ['schema', 'tenant', 'key'] as const;
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** What of a record the MDM looks at, once the schema holds. */
interface Judged {
  readonly Header: {
    readonly MessageID: string;
    readonly Tenant: string;
    readonly Device: string;
    readonly Sequence: number;
    /** What asked for the reading; a record of a day has none. */
    readonly Command?: string;
  };
}

const SCHEMA_FILE = join(import.meta.dirname, '../../docs/mdm/meter-readings.schema.json');

let compiled: ValidateFunction<Judged> | undefined;

/** The published schema, compiled once for all stand-ins of the process. */
function schema(): ValidateFunction<Judged> {
  compiled ??= new Ajv2020({ strict: true, strictRequired: false }).compile<Judged>(
    JSON.parse(readFileSync(SCHEMA_FILE, 'utf8')) as object,
  );
  return compiled;
}

/** Does a record keep to docs/mdm/meter-readings.schema.json? */
export function fitsSchema(record: unknown): boolean {
  return schema()(record);
}

/** @returns why the record is rejected, or undefined; and the id that it can be spoken of by, where it has one. */
export function inspect(
  record: unknown,
  tenant: string,
): { readonly id: string | undefined; readonly code: RejectionCode | undefined } {
  if (!schema()(record)) return { id: claimedId(record), code: 'schema' };
  const { MessageID: id, Tenant, Device, Sequence, Command } = record.Header;
  if (Tenant !== tenant) return { id, code: 'tenant' };
  const key = `${Device}/${Tenant}/${Command === undefined ? Sequence : `read/${Command}`}`;
  return { id, code: id === key ? undefined : 'key' };
}

function claimedId(record: unknown): string | undefined {
  const header = member(record, 'Header');
  const id = member(header, 'MessageID');
  return typeof id === 'string' && id.length <= ID_LENGTH_MAX ? id : undefined;
}

const ID_LENGTH_MAX = 128;

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
