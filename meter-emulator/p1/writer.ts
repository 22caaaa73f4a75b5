import { crc16 } from '../../gateway/edge/p1/crc.ts';
import type { Timestamp } from '../../protocol/reading.ts';

/** Longer than any telegram that the dialects can print; one buffer serves all of them in turn. */
const TELEGRAM_BYTES_MAX = 16_384;

const ZERO = 0x30;
const DOT = 0x2e;
const STAR = 0x2a;
const SUMMER = 0x53;
const WINTER = 0x57;
const SUMMER_OFFSET_MINUTES = 120;
const SECONDS_PER_DAY = 86_400;
const HEX_DIGITS = Buffer.from('0123456789ABCDEF', 'latin1');
/** What a meter prints where it knows no time. */
const PLACEHOLDER_TIME = '632525252525S';

/** IEC 62056-6-2 §4.1.6.1; the highest bit of its status says summer time. */
const DATE_TIME_BYTES = 12;
const STATUS_SUMMER = 0x80;

/** Of the four digits of a CRC the first is its highest. */
const CRC_FIRST_SHIFT = 12;

/** What stands between the first line and the data. */
export type TelegramBegin = 'blank line' | 'start of text' | 'nothing';

/** `!` and a CRC of four digits, or of as many as it needs; `!` alone; or nothing at all. */
export type TelegramEnd = 'crc' | 'short crc' | 'bang' | 'nothing';

/** IEC 62056-21 §6.1 begins the data with an STX; P1 leaves the line empty. */
const BEGINNINGS: Readonly<Record<TelegramBegin, string>> = {
  'blank line': '\r\n\r\n',
  'start of text': '\r\n\u0002',
  nothing: '\r\n',
};

/** Writes a telegram's bytes without making a string of every value. */
export class TelegramWriter {
  private readonly bytes = Buffer.alloc(TELEGRAM_BYTES_MAX);
  private length = 0;

  begin(header: string, begins: TelegramBegin): this {
    this.length = 0;
    return this.text('/').text(header).text(BEGINNINGS[begins]);
  }

  text(text: string): this {
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < text.length; index += 1) bytes[at++] = text.charCodeAt(index);
    this.length = at;
    return this;
  }

  /** The hex of a text's bytes, as P1 prints octet strings. */
  hex(text: string): this {
    const { bytes } = this;
    let at = this.length;
    for (let index = 0; index < text.length; index += 1) {
      const code = text.charCodeAt(index);
      bytes[at++] = HEX_DIGITS[(code >>> 4) & 15]!;
      bytes[at++] = HEX_DIGITS[code & 15]!;
    }
    this.length = at;
    return this;
  }

  /** Takes out of what `print` writes the star in front of each unit. */
  starless(print: () => void): void {
    const { bytes } = this;
    let kept = this.length;
    print();
    for (let at = kept; at < this.length; at += 1) {
      const byte = bytes[at]!;
      if (byte !== STAR) bytes[kept++] = byte;
    }
    this.length = kept;
  }

  /**
   * A number of thousandths, tenths … as `000123.456`. What does not fit rolls over, as a counter with that
   * many places does.
   */
  number(value: number, places: number, decimals = 0): this {
    const { bytes } = this;
    let rest = value;
    const end = this.length + places + (decimals > 0 ? decimals + 1 : 0);
    for (let at = end - 1; at >= this.length; at -= 1) {
      if (decimals > 0 && at === end - 1 - decimals) bytes[at] = DOT;
      else {
        const next = rest > 0x7fffffff ? Math.floor(rest / 10) : (rest / 10) | 0;
        bytes[at] = ZERO + (rest - next * 10);
        rest = next;
      }
    }
    this.length = end;
    return this;
  }

  /** The same with a sign in front where it is below zero. */
  signed(value: number, places: number, decimals = 0): this {
    if (value < 0) this.text('-');
    return this.number(Math.abs(value), places, decimals);
  }

  /** `YYMMDDhhmmss` and `S` or `W`. */
  time(time: Timestamp | null): this {
    if (time === null) return this.text(PLACEHOLDER_TIME);
    this.digits(time);
    this.bytes[this.length] = time.offsetMinutes === SUMMER_OFFSET_MINUTES ? SUMMER : WINTER;
    this.length += 1;
    return this;
  }

  /** `YYMMDDhhmmss` alone, as DSMR 2.2 and 3 have it: one hour of October is then there twice. */
  letterless(time: Timestamp | null): this {
    return time === null ? this.text(PLACEHOLDER_TIME.slice(0, -1)) : this.digits(time);
  }

  /** `YYMMDD`, local. */
  date({ epochSeconds, offsetMinutes }: Timestamp): this {
    const [year, month, day] = civil(Math.floor((epochSeconds + offsetMinutes * 60) / SECONDS_PER_DAY));
    return this.number(year % 100, 2)
      .number(month, 2)
      .number(day, 2);
  }

  /** `hhmmss`, local. */
  timeOfDay({ epochSeconds, offsetMinutes }: Timestamp): this {
    const local = epochSeconds + offsetMinutes * 60;
    const second = local - Math.floor(local / SECONDS_PER_DAY) * SECONDS_PER_DAY;
    return this.number((second / 3600) | 0, 2)
      .number(((second % 3600) / 60) | 0, 2)
      .number(second % 60, 2);
  }

  /** `YY-MM-DD hh:mm:ss`, local: the ACE4000's way. */
  longTime(time: Timestamp): this {
    const from = this.length;
    this.digits(time);
    const pairs = this.bytes.toString('latin1', from, this.length).match(/../g)!;
    this.length = from;
    return this.text(`${pairs.slice(0, 3).join('-')} ${pairs.slice(3).join(':')}`);
  }

  /** Year, month, day, day of the week, time, no hundredths, deviation from local to universal time, status. */
  dateTime({ epochSeconds, offsetMinutes }: Timestamp): this {
    const seconds = epochSeconds + offsetMinutes * 60;
    const days = Math.floor(seconds / SECONDS_PER_DAY);
    const second = seconds - days * SECONDS_PER_DAY;
    const isSummer = offsetMinutes === SUMMER_OFFSET_MINUTES;
    const octets = Buffer.alloc(DATE_TIME_BYTES);
    const [year, month, day] = civil(days);
    octets.writeUInt16BE(year, 0);
    // 1970-01-01 was a Thursday; Monday is 1.
    octets.set([month, day, ((days + 3) % 7) + 1], 2);
    octets.set([(second / 3600) | 0, ((second % 3600) / 60) | 0, second % 60, 0], 5);
    octets.writeInt16BE(-offsetMinutes, 9);
    octets.writeUInt8(isSummer ? STATUS_SUMMER : 0, 11);
    return this.hex(octets.toString('latin1'));
  }

  private digits(time: Timestamp): this {
    return this.date(time).timeOfDay(time);
  }

  /** Close with `!`, the CRC of all until here, and a line end. The bytes are valid until the next `begin`. */
  end(ends: TelegramEnd): Buffer {
    if (ends !== 'nothing') this.text('!');
    if (ends === 'crc' || ends === 'short crc') {
      const crc = crc16(this.bytes, 0, this.length);
      let shift = CRC_FIRST_SHIFT;
      if (ends === 'short crc') while (shift > 0 && crc >>> shift === 0) shift -= 4;
      for (; shift >= 0; shift -= 4) this.bytes[this.length++] = HEX_DIGITS[(crc >>> shift) & 15]!;
    }
    if (ends !== 'nothing') this.text('\r\n');
    return this.bytes.subarray(0, this.length);
  }
}

/** Year, month and day of a number of days since 1970-01-01 (the calendar counted from the first of March). */
function civil(days: number): [number, number, number] {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra =
    ((dayOfEra - ((dayOfEra / 1460) | 0) + ((dayOfEra / 36_524) | 0) - ((dayOfEra / 146_096) | 0)) / 365) | 0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
  const shiftedMonth = ((5 * dayOfYear + 2) / 153) | 0;
  const day = dayOfYear - (((153 * shiftedMonth + 2) / 5) | 0) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return [yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day];
}
