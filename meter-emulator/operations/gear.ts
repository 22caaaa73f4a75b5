import { join } from 'node:path';
import { nodeFiles, type OutboxFiles } from '../../gateway/edge/outbox/files.ts';

/**
 * What of a simulated meter stays where it is when nobody looks and no power is there: latching contacts, valves, and
 * settings that real hardware keeps in a memory of its own. Positions, and nothing that was ever counted.
 */
export interface Gear {
  /** 0 open, 1 closed, 2 ready; null where nobody knows: the file was damaged. */
  readonly breaker: Position | null;
  /** By channel; one that is missing is where its fitter left it: open. */
  readonly valves: Readonly<Record<string, Position | null>>;
  readonly limiterW: number | null;
  readonly port: boolean;
  /** Whether the street has power: the simulated world's, and the same after a restart. */
  readonly power: boolean;
}

export type Position = 0 | 1 | 2;

/** As it leaves the van. */
export const NEW_GEAR: Gear = { breaker: 1, valves: {}, limiterW: null, port: true, power: true };

/** Where everything stands is unknown until it is moved. */
const LOST_GEAR = { ...NEW_GEAR, breaker: null } as const;

const FILE = 'hardware.json';
const VERSION = 1;

/** The file of a device that was ever moved; there is none for the others, so that a fleet of thousands costs nothing. */
export class GearFile {
  readonly #path: string;
  readonly #files: OutboxFiles;
  readonly #channels: readonly number[];
  #gear: Gear | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** @param channels those that have a valve */
  constructor(directory: string, channels: readonly number[], files: OutboxFiles = nodeFiles) {
    this.#path = join(directory, FILE);
    this.#files = files;
    this.#channels = channels;
  }

  get gear(): Gear {
    this.#gear ??= this.#load();
    return this.#gear;
  }

  /** Move something; it stays there, whatever ends the process after this has resolved. */
  move(change: Partial<Gear>): Promise<void> {
    // A contact that has moved has moved, whether or not the disk takes the note of it.
    const gear = { ...this.gear, ...change };
    this.#gear = gear;
    const text = `${JSON.stringify({ simulated: true, version: VERSION, ...gear })}\n`;
    const written = this.#writing.then(() => this.#files.replaceDurably(this.#path, Buffer.from(text)));
    this.#writing = written.catch(() => {});
    return written;
  }

  #load(): Gear {
    let text: string | undefined;
    try {
      text = this.#files.read(this.#path)?.toString('utf8');
    } catch {
      return this.#lost();
    }
    return text === undefined ? NEW_GEAR : (parseGear(text) ?? this.#lost());
  }

  #lost(): Gear {
    return { ...LOST_GEAR, valves: Object.fromEntries(this.#channels.map((channel) => [channel, null])) };
  }
}

const isPosition = (value: unknown): value is Position | null =>
  value === null || value === 0 || value === 1 || value === 2;
const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Undefined where it is not what was written. */
export function parseGear(text: string): Gear | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value) || value['version'] !== VERSION) return undefined;
  const { breaker, valves, limiterW, port, power } = value;
  if (!isPosition(breaker) || !isRecord(valves) || !Object.values(valves).every(isPosition)) return undefined;
  if (limiterW !== null && !(Number.isSafeInteger(limiterW) && (limiterW as number) > 0)) return undefined;
  if (typeof port !== 'boolean' || typeof power !== 'boolean') return undefined;
  return { breaker, valves: valves as Gear['valves'], limiterW: limiterW as number | null, port, power };
}
