import type { Medium, ObisCode, Unit } from '../../../protocol/reading.ts';
import { VALID_JSON } from './qualities.ts';
import { type ReadingType, type Role, readingType } from './reading-type.ts';

/**
 * Reading types kept ready. The codes of a fleet are a few dozen; a stranger's inventions may not grow the
 * memory, so it is emptied when it is full.
 */
const TYPES_MAX = 1_024;

export interface TypeJson {
  /** `"ReadingType":{…}` */
  readonly json: string;
  /** What follows the value of a valid reading, to the end of its object. */
  readonly validEnd: Uint8Array;
  /** `{"ReadingType":{…},"IntervalReadings":[` */
  readonly blockStart: Uint8Array;
  /** The power of ten in which its values are stated. */
  readonly multiplier: number;
}

interface Known {
  readonly medium: Medium;
  readonly unit: Unit;
  readonly role: string | number;
  readonly type: TypeJson;
}

export class TypeNames {
  /** By code, then the few media, units and roles that it occurs in. */
  readonly #known = new Map<ObisCode, Known[]>();
  #size = 0;

  of(medium: Medium, obis: ObisCode, unit: Unit, role: Role): TypeJson {
    const name = typeof role === 'string' ? role : role.periodSeconds;
    const known = this.#known.get(obis);
    if (known !== undefined)
      for (const entry of known)
        if (entry.role === name && entry.medium === medium && entry.unit === unit) return entry.type;
    return this.#learn(obis, {
      medium,
      unit,
      role: name,
      type: typeJson(obis, readingType(medium, obis, unit, role)),
    });
  }

  #learn(obis: ObisCode, entry: Known): TypeJson {
    if (this.#size >= TYPES_MAX) {
      this.#known.clear();
      this.#size = 0;
    }
    const known = this.#known.get(obis);
    if (known === undefined) this.#known.set(obis, [entry]);
    else known.push(entry);
    this.#size++;
    return entry.type;
  }
}

function typeJson(obis: ObisCode, { ref, multiplier, mapped }: ReadingType): TypeJson {
  const json = `"ReadingType":{"ref":"${ref}","obis":"${obis}"${mapped ? '' : ',"unmapped":true'}}`;
  return {
    json,
    multiplier,
    validEnd: Buffer.from(`",${json},${VALID_JSON}}`, 'latin1'),
    blockStart: Buffer.from(`{${json},"IntervalReadings":[`, 'latin1'),
  };
}
