import { type DestinationStream, type Logger, type LoggerOptions, pino, stdTimeFunctions } from 'pino';
import { isHesError } from '../../protocol/errors.ts';

export type Log = Logger;

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Fields that never reach a log, at the top or one level down, whoever passes them by mistake. A second fence:
 * the first is that nobody logs them.
 */
const REDACTED_FIELDS = [
  'ean',
  'serial',
  'key',
  'privateKey',
  'receiptKey',
  'secret',
  'token',
  'password',
  'body',
  'payload',
  'sealed',
  'index',
  'registers',
] as const;

/** Causes of causes are followed this far. */
const CAUSES_MAX = 4;

const STDERR = 2;

export interface LogOptions {
  readonly name: string;
  readonly level?: LogLevel;
  /** Where the lines go: standard error unless told. */
  readonly destination?: DestinationStream;
}

/**
 * A log of JSON lines. It writes synchronously: the last lines before an exit or a kill are the ones that
 * explain it, and a buffer would lose just those.
 */
export function createLog({ name, level = 'info', destination }: LogOptions): Log {
  const options: LoggerOptions = {
    name,
    level,
    base: { pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: {
      paths: REDACTED_FIELDS.flatMap((field) => [field, `*.${field}`]),
      censor: '[redacted]',
    },
    serializers: { err: (error: unknown) => describeError(error) },
  };
  return pino(options, destination ?? pino.destination({ fd: STDERR, sync: true }));
}

/** A log that says nothing: for tests and for library callers that brought none. */
export const silentLog: Log = pino({ level: 'silent' });

/** An error as plain data: code and context of ours, message and stack of any, causes nested. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: `a ${typeof error} was thrown` };
  const described: Record<string, unknown> = { type: error.name, message: safeMessage(error) };
  if (isHesError(error)) {
    described['code'] = error.code;
    if (Object.keys(error.context).length > 0) described['context'] = error.context;
  } else if ('code' in error && typeof error.code === 'string') described['code'] = error.code;
  if (depth === 0) described['stack'] = framesOf(error);
  if (error.cause !== undefined && depth < CAUSES_MAX)
    described['cause'] = describeError(error.cause, depth + 1);
  return described;
}

/** EANs, serials and registers are numbers like these; our own messages hold none so long. */
const LONG_NUMBER = /\d{9,}/g;

/** Node quotes the argument that it did not like: `… Received type string ('5414…')`. */
const QUOTED_ARGUMENT = /\bReceived\b.*$/s;

/**
 * A message that cannot carry a reading out: what others' code throws may quote its input, and the input is one.
 * V8's JSON and regular expression errors always do, so those lose their message altogether.
 */
function safeMessage(error: Error): string {
  if (isHesError(error)) return error.message;
  if (error instanceof SyntaxError) return '[withheld: may quote its input]';
  return error.message.replace(QUOTED_ARGUMENT, '[withheld]').replaceAll(LONG_NUMBER, '#');
}

/** Where it happened, without the message that a stack begins with. */
function framesOf(error: Error): string[] {
  return (error.stack ?? '')
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .map((line) => line.trim());
}
