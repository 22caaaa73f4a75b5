import type { P1Dialect } from '../p1/encode.ts';

/** How the port of a dialect's meters behaves, apart from what it prints. */
export interface DialectPort {
  readonly periodSeconds: number;
  readonly line: LineName;
}

/** Line settings and what a byte takes on the wire: start bit, data and parity, stop bit. */
export const LINES = {
  '115200 8N1': { bytesPerSecond: 11_520 },
  '9600 7E1': { bytesPerSecond: 960 },
} as const;
export type LineName = keyof typeof LINES;

const EVERY_SECOND: DialectPort = { periodSeconds: 1, line: '115200 8N1' };

/** Every second from DSMR 4 on; rows for those that are slower. */
const SLOWER: Readonly<Record<string, DialectPort>> = {};

export function dialectPort(dialect: P1Dialect): DialectPort {
  return SLOWER[dialect] ?? EVERY_SECOND;
}

/** The first line of a telegram says what it is: speed digit 5 (DSMR P1 5.0.2 §6.1), and no real type. */
export function simulatedHeader(_dialect: P1Dialect): string {
  return 'EMU5\\SIMULATED';
}
