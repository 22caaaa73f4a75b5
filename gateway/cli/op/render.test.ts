import { describe, expect, it } from 'vitest';
import { stateLine } from './render.ts';

describe('a refusal', () => {
  it.each([
    ['was refused by a guard of the desk, and never sent', 'airplane', 0, 'desk'],
    ['was refused by a guard of the desk, before it was sent again', 'protected', 1, 'desk'],
    ['was refused by the meter', 'protected', 1, 'device'],
    // A desk that was restored from a backup does not know that it sent it.
    ['was refused by the meter', 'airplane', 0, 'device'],
  ])('says that the command %s (%s, sent %i times, by the %s)', (says, code, attempts, refusedBy) => {
    expect(stateLine({ state: 'refused', code, attempts, refusedBy })).toContain(
      `refused: the command ${says} (${code}: it`,
    );
  });

  it.each([
    ['was refused by a guard of the desk, and never sent', 'airplane', 0],
    ['was refused by the meter', 'counter', 1],
    ['was refused by the meter', 'unsupported', 2],
    // Sent once and given back; then either may have said so.
    ['was refused, by its device or by a guard of the desk', 'protected', 1],
  ])(
    'of a desk that does not say whose it was: the command %s (%s, sent %i times)',
    (says, code, attempts) => {
      expect(stateLine({ state: 'refused', code, attempts })).toContain(
        `refused: the command ${says} (${code}: it`,
      );
    },
  );
});
