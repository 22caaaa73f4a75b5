import { DIALECTS } from '../p1/dialects.ts';
import type { P1Dialect } from '../p1/encode.ts';

/** Every dialect that can be printed. */
export const P1_DIALECTS = Object.keys(DIALECTS) as readonly P1Dialect[];

export function isP1Dialect(name: string): name is P1Dialect {
  return Object.hasOwn(DIALECTS, name);
}

/** How the port of a dialect's meters behaves, apart from what it prints. */
export interface DialectPort {
  readonly periodSeconds: number;
  readonly line: LineName;
  readonly encrypted: boolean;
}

/** Line settings, and what passes with a start bit, data, parity and a stop bit for each byte: ten bits. */
export const LINES = {
  '115200 8N1': { bytesPerSecond: 11_520 },
  '9600 7E1': { bytesPerSecond: 960 },
} as const;
export type LineName = keyof typeof LINES;

const EVERY_SECOND: DialectPort = { periodSeconds: 1, line: '115200 8N1', encrypted: false };

export function dialectPort(_dialect: P1Dialect): DialectPort {
  return EVERY_SECOND;
}

/** The first line of a telegram says what it is: speed digit 5 (DSMR P1 5.0.2 §6.1), and no real type. */
export function simulatedHeader(_dialect: P1Dialect): string {
  return 'EMU5\\SIMULATED';
}
