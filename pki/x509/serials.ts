/**
 * A set of serial numbers as a revocation list holds them: all octets in one buffer, and an open-addressed table of
 * their places. A hundred thousand take 2.6 MB outside the collector's sight; as a Set of strings they took 7 MB, which
 * it visited at each turn.
 */
export class SerialSet {
  /** One octet of length, then the octets, one serial after the other. */
  #octets: Uint8Array;
  #used = 0;
  /** Place in `#octets` plus one; 0 is free. Its length is a power of two, at least twice `size`. */
  #table: Uint32Array;
  #size = 0;

  /** @param expected how many there will be; more make it grow */
  constructor(expected = 0) {
    this.#octets = new Uint8Array(expected * OCTETS_EACH);
    this.#table = new Uint32Array(tableLength(expected));
  }

  get size(): number {
    return this.#size;
  }

  /** The content octets of a positive INTEGER. */
  add(serial: Uint8Array): void {
    if ((this.#size + 1) * 2 > this.#table.length) this.#grow();
    const slot = this.#slotOf(serial);
    if (this.#table[slot] !== 0) return;
    this.#table[slot] = this.#used + 1;
    this.#append(serial);
    this.#size += 1;
  }

  has(serial: Uint8Array): boolean {
    return this.#size > 0 && this.#table[this.#slotOf(serial)] !== 0;
  }

  #append(serial: Uint8Array): void {
    const end = this.#used + 1 + serial.length;
    if (end > this.#octets.length) {
      const wider = new Uint8Array(Math.max(end, this.#octets.length * 2));
      wider.set(this.#octets);
      this.#octets = wider;
    }
    this.#octets[this.#used] = serial.length;
    this.#octets.set(serial, this.#used + 1);
    this.#used = end;
  }

  /** Where it is, or the free place where it belongs. */
  #slotOf(serial: Uint8Array): number {
    const mask = this.#table.length - 1;
    let slot = hashOf(serial) & mask;
    for (let place = this.#table[slot]!; place !== 0; place = this.#table[slot]!) {
      if (this.#isAt(place - 1, serial)) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #isAt(place: number, serial: Uint8Array): boolean {
    const octets = this.#octets;
    if (octets[place] !== serial.length) return false;
    for (let at = 0; at < serial.length; at += 1) if (octets[place + 1 + at] !== serial[at]) return false;
    return true;
  }

  #grow(): void {
    const wider = new Uint32Array(this.#table.length * 2);
    const mask = wider.length - 1;
    for (let place = 0; place < this.#used; place += 1 + this.#octets[place]!) {
      const serial = this.#octets.subarray(place + 1, place + 1 + this.#octets[place]!);
      let slot = hashOf(serial) & mask;
      while (wider[slot] !== 0) slot = (slot + 1) & mask;
      wider[slot] = place + 1;
    }
    this.#table = wider;
  }
}

/** Ours are of 16 octets, and the one of their length. */
const OCTETS_EACH = 17;
const TABLE_MIN = 16;

const tableLength = (expected: number): number =>
  Math.max(TABLE_MIN, 2 ** Math.ceil(Math.log2(Math.max(1, expected) * 2)));

/** FNV-1a, 32 bits. Only a CA chooses serials, so nobody can aim at one place of the table. */
function hashOf(serial: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const octet of serial) hash = Math.imul(hash ^ octet, 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
