import type { Medium, ObisCode, Unit } from '../../../protocol/reading.ts';
import { type Role, readingType } from './reading-type.ts';

/**
 * Reading types kept ready as JSON. The codes of a fleet are a few dozen; a stranger's inventions may not grow
 * the memory, so it is emptied when it is full.
 */
const TYPES_MAX = 1_024;

export interface TypeJson {
  /** `"ReadingType":{…}` */
  readonly json: string;
  /** The power of ten in which its values are stated. */
  readonly multiplier: number;
}

export class TypeNames {
  readonly #types = new Map<string, TypeJson>();

  of(medium: Medium, obis: ObisCode, unit: Unit, role: Role): TypeJson {
    const key = `${obis}${typeof role === 'string' ? role : role.periodSeconds}${unit}${medium}`;
    let type = this.#types.get(key);
    if (type === undefined) {
      const { ref, multiplier, mapped } = readingType(medium, obis, unit, role);
      const marker = mapped ? '' : ',"unmapped":true';
      type = { json: `"ReadingType":{"ref":"${ref}","obis":"${obis}"${marker}}`, multiplier };
      if (this.#types.size >= TYPES_MAX) this.#types.clear();
      this.#types.set(key, type);
    }
    return type;
  }
}
