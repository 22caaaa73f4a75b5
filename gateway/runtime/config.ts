import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { HesError } from '../../protocol/errors.ts';
import type { RuntimeErrorCode } from './errors.ts';

/** A configuration is a page of text; more is the wrong file. */
export const CONFIG_BYTES_MAX = 1024 * 1024;

/** So many faults are named at once. */
const FAULTS_SHOWN_MAX = 10;

/** `'-'` reads standard input: a parent process hands over configuration without a file that stays behind. */
export type ConfigSource =
  | { readonly file: string; readonly stdin?: Readable }
  | { readonly object: unknown };

export type Frozen<T> = T extends string | ((...args: never[]) => unknown)
  ? T
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;

/**
 * Read, check and freeze a configuration: YAML or JSON from a file or standard input, or an object.
 *
 * Unknown keys are refused, since a mistyped limit that is silently left out is a limit that is not there.
 * @throws ERR_CONFIG_FILE, ERR_CONFIG_SYNTAX, ERR_CONFIG (every fault with its path), ERR_CONFIG_SCHEMA
 */
export async function loadConfig<Schema extends z.ZodType>(
  schema: Schema,
  source: ConfigSource,
): Promise<Frozen<z.output<Schema>>> {
  if ('object' in source) return parseConfig(schema, source.object);
  const name = source.file === '-' ? 'standard input' : source.file;
  const text = source.file === '-' ? await readStream(source.stdin ?? process.stdin) : await readText(name);
  return parseConfig(schema, parseText(text, name), name);
}

/**
 * Check and freeze an object; `name` is what the errors call it.
 * @throws ERR_CONFIG, ERR_CONFIG_SCHEMA
 */
export function parseConfig<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  name = 'configuration',
): Frozen<z.output<Schema>> {
  requireStrict(schema);
  const result = schema.safeParse(value);
  if (result.success) return freeze(result.data) as Frozen<z.output<Schema>>;
  const faults = result.error.issues.flatMap(describeIssue);
  const more = faults.length - FAULTS_SHOWN_MAX;
  const shown = faults.slice(0, FAULTS_SHOWN_MAX).join('; ');
  throw failure('ERR_CONFIG', `${name}: ${shown}${more > 0 ? `; and ${more} more` : ''}`);
}

/**
 * A rule between keys, for `schema.superRefine(…)`: its error names every key that it speaks of.
 * `superRefine(between(['heldMax', 'heldPerTenantMax'], (c) => c.heldPerTenantMax <= c.heldMax, 'the second must not exceed the first'))`
 */
export function between<T>(
  keys: readonly [string, string, ...string[]],
  holds: (value: T) => boolean,
  why: string,
): (value: T, context: z.core.$RefinementCtx<T>) => void {
  return (value, context) => {
    if (holds(value)) return;
    context.addIssue({ code: 'custom', message: why, params: { keys } });
  };
}

function describeIssue(issue: z.core.$ZodIssue): string[] {
  const at = pathText(issue.path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => `unknown key ${pathText([...issue.path, key])}`);
  if (issue.code === 'custom' && Array.isArray(issue.params?.['keys'])) {
    const keys = (issue.params['keys'] as string[]).map((key) =>
      pathText([...issue.path, ...key.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step))]),
    );
    return [`${keys.join(' and ')}: ${issue.message}`];
  }
  return [`${at === '' ? 'the whole' : at}: ${issue.message}`];
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    return text === '' ? String(step) : `${text}.${String(step)}`;
  }, '');
}

const checkedSchemas = new WeakSet<z.ZodType>();

/** A plain z.object drops unknown keys without a word, so every object of a configuration must be strict. */
function requireStrict(schema: z.ZodType): void {
  if (checkedSchemas.has(schema)) return;
  const walk = (node: unknown, path: string): void => {
    if (typeof node !== 'object' || node === null) return;
    const { properties, additionalProperties } = node as Record<string, unknown>;
    if (typeof properties === 'object' && additionalProperties !== false)
      throw failure('ERR_CONFIG_SCHEMA', `the schema at ${path === '' ? 'its top' : path} is not strict`);
    for (const [key, child] of Object.entries(node))
      walk(child, key === 'properties' ? path : path === '' ? key : `${path}.${key}`);
  };
  walk(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }), '');
  checkedSchemas.add(schema);
}

function parseText(text: string, name: string): unknown {
  try {
    // JSON is YAML 1.2; one parser gives both the same errors, and refuses a key given twice in either.
    return parseYaml(text, {
      prettyErrors: true,
      maxAliasCount: 10,
      strict: true,
      uniqueKeys: true,
    }) as unknown;
  } catch (cause) {
    const at = cause instanceof YAMLParseError ? cause.linePos?.[0] : undefined;
    const where = at === undefined ? '' : ` at line ${at.line}, column ${at.col}`;
    const why =
      cause instanceof YAMLParseError
        ? cause.code.toLowerCase().replaceAll('_', ' ')
        : 'a reference to nothing, or too many references';
    // The cause quotes the text, which may be the wrong file and hold anything: it is not passed on.
    throw failure('ERR_CONFIG_SYNTAX', `${name}: neither YAML nor JSON${where} (${why})`);
  }
}

async function readText(file: string): Promise<string> {
  try {
    const handle = await open(file, 'r');
    try {
      const { size } = await handle.stat();
      if (size > CONFIG_BYTES_MAX) throw tooLarge(file);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof HesError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    const why = FILE_FAULTS[code] ?? `cannot be read (${code})`;
    throw failure('ERR_CONFIG_FILE', `${file}: ${why}`, cause);
  }
}

const FILE_FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'may not be read by this user',
  EISDIR: 'is a folder, not a file',
};

async function readStream(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      const buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      bytes += buffer.length;
      if (bytes > CONFIG_BYTES_MAX) throw tooLarge('standard input');
      chunks.push(buffer);
    }
  } catch (cause) {
    if (cause instanceof HesError) throw cause;
    throw failure('ERR_CONFIG_FILE', 'standard input: cannot be read', cause);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(name: string): HesError {
  return failure('ERR_CONFIG_FILE', `${name}: larger than ${CONFIG_BYTES_MAX} bytes`);
}

function failure(code: RuntimeErrorCode, message: string, cause?: unknown): HesError<RuntimeErrorCode> {
  return new HesError(code, message, cause === undefined ? {} : { cause });
}

function freeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Object.isFrozen(value))
    return value;
  for (const child of Object.values(value)) freeze(child);
  return Object.freeze(value);
}
