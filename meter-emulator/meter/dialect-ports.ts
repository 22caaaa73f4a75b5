import { DIALECT_PORTS, type P1Dialect } from '../p1/dialects.ts';

/** Every dialect that can be printed. */
export const P1_DIALECTS = Object.keys(DIALECT_PORTS) as readonly P1Dialect[];

export function isP1Dialect(name: string): name is P1Dialect {
  return Object.hasOwn(DIALECT_PORTS, name);
}

/** Bytes a second: both settings have ten bits for each, a start bit, data, parity and a stop bit. */
export const BYTES_PER_SECOND = { '115200 8N1': 11_520, '9600 7E1': 960 } as const;

/** What a household must have for the port to have something to say. */
export function mediumOf(dialect: P1Dialect): 'heat' | null {
  return dialect.startsWith('heat') ? 'heat' : null;
}
