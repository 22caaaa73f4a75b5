import { HesError } from '../errors.ts';
import { fits } from './error.ts';
import type { Shape } from './shape.ts';

/** The version that every message begins with so far. */
const VERSION = 1;

/**
 * The first member of a message. Of an unknown version nothing else is read: whatever follows may mean something else.
 * @param code what is thrown then
 * @param what "a version of reports"
 */
export const versionOne = (code: string, what: string): Shape<1> => ({
  write(target, value) {
    fits(value === VERSION, 'version 1');
    target.integer(value);
  },
  read(reader) {
    const value = reader.integer();
    if (value === VERSION) return value;
    throw new HesError(code, `${what} that this side does not know`, { context: { version: value } });
  },
});
