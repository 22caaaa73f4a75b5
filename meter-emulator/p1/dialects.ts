import { BELGIAN } from './belgian.ts';
import { DUTCH } from './dutch.ts';
import { ELSEWHERE } from './elsewhere.ts';
import { HUNGARIAN } from './hungary.ts';
import { ISKRA } from './iskra.ts';
import { ENCRYPTED } from './luxembourg.ts';
import { NORDIC } from './nordic.ts';
import { OTHER_MEDIA } from './other-media.ts';
import { PUSHED } from './pushed.ts';
import type { DialectPort, P1DialectRow } from './row.ts';

const ROWS = {
  ...BELGIAN,
  ...DUTCH,
  ...ENCRYPTED,
  ...NORDIC,
  ...HUNGARIAN,
  ...OTHER_MEDIA,
  ...PUSHED,
  ...ISKRA,
  ...ELSEWHERE,
} as const;

export type P1Dialect = keyof typeof ROWS;

/** Everything that an emulated port prints: its lines in their order, and how they come. */
export const DIALECTS: Readonly<Record<P1Dialect, P1DialectRow>> = ROWS;

/** The same, for who only wants to know how a port behaves. */
export const DIALECT_PORTS: Readonly<Record<P1Dialect, DialectPort>> = ROWS;
