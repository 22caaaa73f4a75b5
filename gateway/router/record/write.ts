import type { CommandId } from '../../../protocol/command/id.ts';
import {
  type DailyIndex,
  type MeterReading,
  type ObisCode,
  type Profile,
  QUALITY,
  type Timestamp,
  type Unit,
} from '../../../protocol/reading.ts';
import type { Finding, Part } from '../plausibility.ts';
import { ByteWriter } from './byte-writer.ts';
import { decimal } from './decimal.ts';
import { offsetText } from './instants.ts';
import { IntervalGrids } from './interval-grids.ts';
import { readKey } from './on-demand.ts';
import { MISSING_JSON, qualitiesOf, VALID_JSON } from './qualities.ts';
import { clockFlags } from './quality.ts';
import type { Role } from './reading-type.ts';
import { TypeNames } from './type-names.ts';

/** What of a meter's flags concerns every time stamp of its profile; the others speak of its registers. */
const INTERVAL_FLAGS = QUALITY.clockInvalid;

/** What of a meter's flags says nothing of its registers: they were read, whatever is missing of the quarter-hours. */
const PROFILE_FLAGS = QUALITY.profileGap;

/** Thousandths of the stated unit, such as Wh in kWh or litres in m³: what a grid's zeros stand for. */
const THOUSANDTHS = -3;

/** A grid's interval: time stamp of 20 characters, value of five, and the names around them. */
const GRID_INTERVAL_BYTES = 64;

/** Text that JSON needs not escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

const VALUE_START = Buffer.from(',"value":"');

/** `command`: what asked for the reading, where it is none of a day. */
export type RecordWriter = (index: DailyIndex, findings: readonly Finding[], command?: CommandId) => Buffer;

/**
 * The MDM's record of a daily index: JSON MeterReadings after IEC 61968-9 (docs/mdm has description and schema),
 * as bytes. It is a pure function of the reading, so that a second delivery is the same record.
 *
 * It is put together directly, from what is kept ready as bytes: an object graph through JSON.stringify cost 31 µs a
 * day, text 40, this 8, beside some 160 for the cryptography of a message (docs/adr/0065).
 */
export function createRecordWriter(): RecordWriter {
  const writer = new ByteWriter();
  const grids = new IntervalGrids();
  const types = new TypeNames();
  return (index, findings, command) => {
    try {
      new RecordText(writer, grids, types, index, findings).write(command);
      return writer.take();
    } catch (error) {
      writer.clear();
      throw error;
    }
  };
}

/** Delivery is at least once; by this key effect is once. */
export function idempotencyKey({
  device,
  tenant,
  sequence,
}: Pick<DailyIndex, 'device' | 'tenant' | 'sequence'>): string {
  return `${device}/${tenant}/${sequence}`;
}

/** One record while it is written. */
class RecordText {
  readonly #writer: ByteWriter;
  readonly #grids: IntervalGrids;
  readonly #types: TypeNames;
  readonly #index: DailyIndex;
  readonly #findings: readonly Finding[];
  readonly #captured: string;
  readonly #capturedStart: Uint8Array;

  constructor(
    writer: ByteWriter,
    grids: IntervalGrids,
    types: TypeNames,
    index: DailyIndex,
    findings: readonly Finding[],
  ) {
    this.#writer = writer;
    this.#grids = grids;
    this.#types = types;
    this.#index = index;
    this.#findings = findings;
    this.#captured = offsetText(index.capturedAt);
    this.#capturedStart = Buffer.from(`{"timeStamp":"${this.#captured}"`, 'latin1');
  }

  write(command: CommandId | undefined): void {
    this.#writer.text(
      `{"Header":${headerJson(this.#index, this.#captured, command)},"Payload":{"MeterReadings":{"MeterReading":[`,
    );
    const { meters } = this.#index;
    for (let at = 0; at < meters.length; at++) this.#meter(meters[at]!, at);
    this.#writer.text(']}}}');
  }

  #meter(meter: MeterReading, at: number): void {
    const { registers, peaks, extremes, profiles } = meter;
    const flags = meter.flags | clockFlags(this.#index.clock);
    // Without a reading there is nothing that the meter's own flags could stand beside.
    const isBare = registers.length + peaks.length + extremes.length === 0;
    const ofProfiles = flags & PROFILE_FLAGS;
    let own = '';
    if (isBare) own = `,${qualitiesOf(this.#findings, at, 'meter', 0, flags)}`;
    else if (ofProfiles !== 0) own = `,${qualitiesOf([], at, 'meter', 0, ofProfiles)}`;
    this.#writer.text(
      `${at === 0 ? '' : ','}{"Meter":{"Names":[${namesJson(meter)}]},"Medium":"${meter.medium}","Channel":${meter.channel}${own},"Readings":[`,
    );
    this.#readings(meter, at, flags & ~PROFILE_FLAGS);
    this.#writer.text('],"IntervalBlocks":[');
    for (let i = 0; i < profiles.length; i++) {
      if (i > 0) this.#writer.text(',');
      this.#block(meter, profiles[i]!, this.#qualities(at, 'profiles', i, flags & INTERVAL_FLAGS));
    }
    this.#writer.text(']}');
  }

  #readings(meter: MeterReading, meterAt: number, flags: number): void {
    const { registers, peaks, extremes } = meter;
    let count = 0;
    for (let i = 0; i < registers.length; i++) {
      const register = registers[i]!;
      if (count++ > 0) this.#writer.text(',');
      this.#start(register.time ?? this.#index.capturedAt);
      const qualities = this.#qualities(meterAt, 'registers', i, flags | register.flags);
      this.#value(meter, register, register.value, 'register', qualities);
    }
    for (let i = 0; i < peaks.length; i++) {
      const peak = peaks[i]!;
      if (count++ > 0) this.#writer.text(',');
      if (peak.time !== null) this.#start(peak.time);
      this.#writer.text(`${peak.time === null ? '{' : ','}"Month":"${peak.month}"`);
      this.#value(meter, peak, peak.value, 'peak', this.#qualities(meterAt, 'peaks', i, flags));
    }
    for (let i = 0; i < extremes.length; i++) {
      const extreme = extremes[i]!;
      const qualities = this.#qualities(meterAt, 'extremes', i, flags);
      if (count++ > 0) this.#writer.text(',');
      this.#writer.ready(this.#capturedStart);
      this.#value(meter, extreme, extreme.min, 'minimum', qualities);
      this.#writer.text(',');
      this.#writer.ready(this.#capturedStart);
      this.#value(meter, extreme, extreme.max, 'maximum', qualities);
    }
  }

  /** Nearly everything was captured at one moment. */
  #start(time: Timestamp): void {
    const { epochSeconds, offsetMinutes } = this.#index.capturedAt;
    if (time.epochSeconds === epochSeconds && time.offsetMinutes === offsetMinutes)
      this.#writer.ready(this.#capturedStart);
    else this.#writer.text(`{"timeStamp":"${offsetText(time)}"`);
  }

  #value(meter: MeterReading, of: Quantity, value: number, role: Role, qualities: string): void {
    const type = this.#types.of(meter.medium, of.obis, of.unit, role);
    this.#writer.ready(VALUE_START);
    this.#writer.decimal(value, of.scaler - type.multiplier);
    if (qualities === VALID_JSON) this.#writer.ready(type.validEnd);
    else this.#writer.text(`",${type.json},${qualities}}`);
  }

  #block(meter: MeterReading, profile: Profile, qualities: string): void {
    const { obis, unit, scaler, start, periodSeconds, deltas } = profile;
    const type = this.#types.of(meter.medium, obis, unit, { periodSeconds });
    const exponent = scaler - type.multiplier;
    const grid = this.#grids.of(start, periodSeconds, deltas.length);
    this.#writer.ready(type.blockStart);
    const filled =
      exponent === THOUSANDTHS &&
      qualities === VALID_JSON &&
      this.#writer.fill(deltas.length * GRID_INTERVAL_BYTES, (bytes, at) => grid.fill(bytes, at, deltas));
    if (!filled) this.#writer.text(intervalsText(grid.openings, deltas, exponent, qualities));
    this.#writer.text(']}');
  }

  #qualities(meterAt: number, part: Part, at: number, flags: number): string {
    return qualitiesOf(this.#findings, meterAt, part, at, flags);
  }
}

interface Quantity {
  readonly obis: ObisCode;
  readonly unit: Unit;
  readonly scaler: number;
}

/** Intervals of any kind: with gaps, qualities, other digits. One without qualities is valid (IEC 61968-9). */
function intervalsText(
  openings: readonly string[],
  deltas: Profile['deltas'],
  exponent: number,
  qualities: string,
): string {
  const close = qualities === VALID_JSON ? '"}' : `",${qualities}}`;
  const gap = `,${MISSING_JSON}}`;
  let text = '';
  for (let i = 0; i < deltas.length; i++) {
    const delta = deltas[i]!;
    const rest = delta === null ? gap : `,"value":"${decimal(delta, exponent)}${close}`;
    text += i === 0 ? openings[i]! + rest : `,${openings[i]!}${rest}`;
  }
  return text;
}

function headerJson(index: DailyIndex, captured: string, command: CommandId | undefined): string {
  const { tenant, device, sequence, day, clock } = index;
  const key = command === undefined ? idempotencyKey(index) : readKey({ device, tenant, command });
  const what = command === undefined ? `"Day":"${day}","Clock":"${clock}"` : `"Command":"${command}"`;
  return `{"Verb":"created","Noun":"MeterReadings","Timestamp":"${captured}","Source":"hes-gateway","MessageID":"${key}","Tenant":"${tenant}","Device":"${device}","Sequence":${sequence},${what}}`;
}

function namesJson({ serial, ean }: MeterReading): string {
  const names = `{"name":${quoted(serial)},"NameType":{"name":"serial"}}`;
  return ean === null ? names : `${names},{"name":"${ean}","NameType":{"name":"EAN"}}`;
}

/**
 * A JSON string of ASCII: what is beyond it is escaped, since the record is written as single bytes. Only the
 * serial number is free text; every other word has a form that the payload's decoder held it to.
 */
function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
