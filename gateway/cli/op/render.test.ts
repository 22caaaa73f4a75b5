import { describe, expect, it } from 'vitest';
import { stateLine } from './render.ts';

describe('a refusal', () => {
  it.each([
    ['was refused by a guard of the desk, and never sent', 'airplane', 0],
    ['was refused by the meter', 'counter', 1],
    ['was refused by the meter', 'unsupported', 2],
    // Sent once and given back; then either may have said so.
    ['was refused, by its device or by a guard of the desk', 'protected', 1],
  ])('says that the command %s (%s, sent %i times)', (says, code, attempts) => {
    expect(stateLine({ state: 'refused', code, attempts })).toContain(
      `refused: the command ${says} (${code}: it`,
    );
  });
});
