/** What an error may say about its circumstances: sizes, pseudonyms, counters. Never a reading, EAN, serial or key. */
export type ErrorContext = Readonly<Record<string, string | number | boolean | null>>;

/**
 * The one base class of errors that this project throws on purpose.
 *
 * `code` is a promise (docs/errors.md lists every one); the message says what happened and, where a
 * person can do something about it, what. HTTP statuses and exit codes are mapped at the edges only.
 */
export class HesError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly context: ErrorContext;

  constructor(code: Code, message: string, options: { cause?: unknown; context?: ErrorContext } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HesError';
    this.code = code;
    this.context = options.context ?? {};
  }
}

/** Narrow an unknown error to one of ours, by code where one is named. */
export function isHesError(error: unknown, code?: string): error is HesError {
  return error instanceof HesError && (code === undefined || error.code === code);
}
