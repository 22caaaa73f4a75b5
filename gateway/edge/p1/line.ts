import { findRow, type ObisRow, obisName } from './obis.ts';
import { reducedGroupC, standardRow } from './obis-standard.ts';
import { findUnit, NO_UNIT, type UnitRow } from './units.ts';

/** The smallest power of ten of a reading (protocol/payload.ts takes no finer one). */
const SCALER_MIN = -9;

/** 13 months of peaks are 42 groups, ten power failures 22; a line with more is kept as unknown. */
export const GROUPS_MAX = 96;

const ZERO = 0x30;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const COLON = 0x3a;
const STAR = 0x2a;
const OPEN = 0x28;
const CLOSE = 0x29;
const F_ANY = 255;

/** `YYMMDDhhmmss` */
const TIME_DIGITS = 12;

const NO_BYTES = Buffer.alloc(0);

const SPACE = 0x20;

/**
 * One data line, `A-B:C.D.E*F(group)(group)…`, looked at in place: where its groups lie, and a number read
 * exactly. One view serves a whole telegram, so that a line costs no garbage but the values that stay.
 */
export class LineView {
  bytes: Buffer = NO_BYTES;
  start = 0;
  end = 0;
  a = 0;
  b = 0;
  row: ObisRow | undefined = undefined;
  groups = 0;
  readonly from = new Int32Array(GROUPS_MAX);
  readonly to = new Int32Array(GROUPS_MAX);

  /** The number that `number` read last: `digits × 10^-decimals` of `unit`. */
  digits = 0;
  decimals = 0;
  unit: UnitRow = NO_UNIT;

  private at = 0;

  /** Take `bytes[start, end)`, without its line end. Whether it has the form of a data line with a known code. */
  read(bytes: Buffer, start: number, end: number): boolean {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.at = start;
    this.groups = 0;
    this.row = undefined;
    const a = this.part(MINUS);
    if (a < 0) return this.readReduced();
    const b = this.part(COLON);
    // The document of DSMR 4.0 prints `1-0:99:97.0` and `1-0:72:32.0`, and so do those who copied from it.
    const c = b < 0 ? -1 : this.part(DOT, COLON);
    const d = c < 0 ? -1 : this.part(DOT);
    if (d < 0) return false;
    const e = this.integer();
    return e >= 0 && this.readRest(a, b, c, d, e);
  }

  /** `C.D.E` or `C.D` (IEC 62056-21 §6.3.2 "reduced ID code"): electricity, or with a letter an abstract object. */
  private readReduced(): boolean {
    this.at = this.start;
    const letter = reducedGroupC(this.bytes[this.at]!);
    if (letter >= 0) this.at += 1;
    const c = letter >= 0 ? (this.bytes[this.at] === DOT ? letter : -1) : this.part(DOT);
    if (c < 0) return false;
    if (letter >= 0) this.at += 1;
    const d = this.integer();
    if (d < 0) return false;
    let e = 0;
    if (this.bytes[this.at] === DOT) {
      this.at += 1;
      e = this.integer();
    }
    return e >= 0 && this.readRest(letter >= 0 ? 0 : 1, 0, c, d, e);
  }

  private readRest(a: number, b: number, c: number, d: number, e: number): boolean {
    const { bytes } = this;
    if (bytes[this.at] === STAR) {
      this.at += 1;
      // *255 is "the current value" and is often left out; another F is a closed billing period.
      if (this.integer() !== F_ANY) return false;
    }
    this.a = a;
    this.b = b;
    const row = findRow(a, c, d, e) ?? standardRow(a, c, d, e);
    if (row === undefined || bytes[this.at] !== OPEN) return false;
    this.row = row;
    return row.kind === 'message' ? this.readMessageGroup() : this.readGroups(this.at);
  }

  /** Take a line that is groups only: the second line of an old gas reading. */
  readContinuation(bytes: Buffer, start: number, end: number): boolean {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.groups = 0;
    return this.readGroups(start);
  }

  name() {
    return obisName(this.row!, this.a, this.b);
  }

  /** The whole line as it was printed. */
  text(): string {
    return this.bytes.toString('latin1', this.start, this.end);
  }

  /**
   * Read a group as a number with or without a unit. False where it is none, where its unit is unknown, or
   * where it has more digits than an integer holds exactly: a rounded index is a wrong one.
   */
  number(group: number): boolean {
    const to = this.to[group]!;
    let at = this.from[group]!;
    const bytes = this.bytes;
    while (at < to && bytes[at] === SPACE) at += 1;
    const negative = bytes[at] === MINUS;
    if (negative || bytes[at] === PLUS) at += 1;
    const first = at;
    let value = 0;
    let point = -1;
    for (; at < to; at += 1) {
      const byte = bytes[at]!;
      const digit = byte - ZERO;
      if (digit >= 0 && digit <= 9) value = value * 10 + digit;
      else if (byte === DOT && point < 0) point = at;
      else break;
    }
    const length = at - first - (point < 0 ? 0 : 1);
    if (length === 0 || value > Number.MAX_SAFE_INTEGER) return false;
    const end = at;
    let unit: UnitRow = NO_UNIT;
    if (at < to) {
      const found = this.findUnit(at, to, point < 0 ? length : 0);
      if (found === undefined) return false;
      unit = found;
    }
    const decimals = point < 0 ? 0 : end - point - 1;
    if (unit.exponent - decimals < SCALER_MIN) return false;
    this.digits = negative && value !== 0 ? -value : value;
    this.decimals = decimals;
    this.unit = unit;
    return true;
  }

  /**
   * The unit of a number that ends at `at`. Fluvius' first meters (50213, 50215) print it without its star, Holley
   * with a blank behind. Twelve digits and a letter are a time stamp, and no watts or seconds.
   */
  private findUnit(at: number, to: number, digits: number): UnitRow | undefined {
    const { bytes } = this;
    let end = to;
    while (bytes[end - 1] === SPACE) end -= 1;
    if (bytes[at] === STAR) return findUnit(bytes, at + 1, end);
    return digits === TIME_DIGITS && end - at === 1 ? undefined : findUnit(bytes, at, end);
  }

  /** Whether a group is a plain unsigned integer, which is then in `digits`. */
  integerGroup(group: number): boolean {
    return group < this.groups && this.number(group) && this.unit === NO_UNIT && this.decimals === 0;
  }

  private part(separator: number, other = separator): number {
    const value = this.integer();
    const byte = this.bytes[this.at];
    if (value < 0 || (byte !== separator && byte !== other)) return -1;
    this.at += 1;
    return value;
  }

  /** An integer of one to three digits below 256, or -1. */
  private integer(): number {
    const bytes = this.bytes;
    let at = this.at;
    let value = bytes[at]! - ZERO;
    if (!(value >= 0 && value <= 9) || at >= this.end) return -1;
    at += 1;
    for (const last = Math.min(at + 2, this.end); at < last; at += 1) {
      const digit = bytes[at]! - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    this.at = at;
    return value < 256 ? value : -1;
  }

  private readGroups(at: number): boolean {
    const { bytes, end } = this;
    let groups = 0;
    while (at < end) {
      if (bytes[at] !== OPEN || groups === GROUPS_MAX) return false;
      const from = at + 1;
      at = from;
      while (at < end && bytes[at] !== CLOSE) at += 1;
      if (at === end) return false;
      this.from[groups] = from;
      this.to[groups] = at;
      groups += 1;
      at += 1;
    }
    this.groups = groups;
    return groups > 0;
  }

  /** A message may hold brackets of its own when it is printed plain: it goes to the last one. */
  private readMessageGroup(): boolean {
    if (this.bytes[this.end - 1] !== CLOSE || this.end - 1 <= this.at) return false;
    this.from[0] = this.at + 1;
    this.to[0] = this.end - 1;
    this.groups = 1;
    return true;
  }
}
