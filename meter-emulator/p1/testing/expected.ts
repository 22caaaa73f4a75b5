import type { P1Telegram } from '../../../gateway/edge/p1/telegram.ts';
import type { P1Dialect } from '../dialects.ts';
import type { P1MeterState } from '../state.ts';
import { EXPECTED_ABROAD } from './expected-abroad.ts';
import { EXPECTED_BELGIAN } from './expected-belgian.ts';
import { EXPECTED_DUTCH } from './expected-dutch.ts';
import { EXPECTED_ELSEWHERE } from './expected-elsewhere.ts';
import { EXPECTED_ISKRA } from './expected-iskra.ts';
import { nothing, type Part } from './expected-parts.ts';
import { EXPECTED_PUSHED } from './expected-pushed.ts';

const EXPECTED: Readonly<Record<P1Dialect, Part>> = {
  ...EXPECTED_BELGIAN,
  ...EXPECTED_DUTCH,
  ...EXPECTED_ABROAD,
  ...EXPECTED_PUSHED,
  ...EXPECTED_ISKRA,
  ...EXPECTED_ELSEWHERE,
};

/**
 * What a reader must make of a state in each dialect: the whole telegram, every field of it. Written from the
 * documents a second time and in another form than the tables that print, so that a slip in one is a difference.
 */
export function expectedTelegram(dialect: P1Dialect, state: P1MeterState): P1Telegram {
  return { ...nothing, header: state.header, ...EXPECTED[dialect](state) };
}
