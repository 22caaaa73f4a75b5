/**
 * Loaded before a program (`node --import`): the time of day that it sees is the one in the file HES_TEST_CLOCK, where
 * a test puts it. Timers go by the machine's own clock as ever, so that nothing else of the program is another.
 */
import { openSync, readSync } from 'node:fs';

const file = openSync(process.env['HES_TEST_CLOCK']!, 'r');
const now = new Float64Array(1);

Date.now = () => {
  readSync(file, now, 0, Float64Array.BYTES_PER_ELEMENT, 0);
  return now[0]!;
};
