import { HesError } from '../errors.ts';

export type CborCode =
  | 'ERR_CBOR_TRUNCATED'
  | 'ERR_CBOR_TRAILING'
  | 'ERR_CBOR_BOUNDS'
  | 'ERR_CBOR_FORM'
  | 'ERR_CBOR_SCHEMA';

/**
 * What goes wrong between bytes and a value. The message says what was expected, never what was there, which
 * may be a reading. `path` grows as the error passes the members that it happened in.
 */
export class CborError extends HesError<CborCode> {
  readonly path: (string | number)[] = [];

  constructor(code: CborCode, message: string, offset?: number) {
    super(code, message, offset === undefined ? {} : { context: { offset } });
  }

  /** The member, as a dotted path: `meters.0.registers.2.scaler`. */
  get field(): string {
    return this.path.join('.');
  }
}

/** The same error, one member further out. */
export function within(error: unknown, member: string | number): unknown {
  if (error instanceof CborError) error.path.unshift(member);
  return error;
}

export function fits(condition: boolean, expected: string): asserts condition {
  if (!condition) throw new CborError('ERR_CBOR_SCHEMA', `expected ${expected}`);
}

/**
 * An error of the codecs as the error of the message that was being read or written.
 * @param codes the message's own codes, for a member that does not fit and for bytes that are no CBOR of ours
 */
export function asMessageError(
  error: unknown,
  codes: { readonly schema: string; readonly form: string },
): unknown {
  if (!(error instanceof CborError)) return error;
  const { field, code, context, message } = error;
  return new HesError(
    code === 'ERR_CBOR_SCHEMA' ? codes.schema : codes.form,
    field === '' ? message : `${field}: ${message}`,
    { cause: error, context: field === '' ? context : { ...context, field } },
  );
}
