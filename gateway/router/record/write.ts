import {
  type DailyIndex,
  type MeterReading,
  type ObisCode,
  type Profile,
  QUALITY,
  type Timestamp,
  type Unit,
} from '../../../protocol/reading.ts';
import type { Finding } from '../plausibility.ts';
import { ByteWriter } from './byte-writer.ts';
import { decimal } from './decimal.ts';
import { offsetText } from './instants.ts';
import { IntervalGrids } from './interval-grids.ts';
import { MISSING_JSON, qualitiesOf, VALID_JSON } from './qualities.ts';
import { clockFlags } from './quality.ts';
import type { Role } from './reading-type.ts';
import { TypeNames } from './type-names.ts';

/** What of a meter's flags concerns every time stamp of its profile; the others speak of its registers. */
const INTERVAL_FLAGS = QUALITY.clockInvalid;

/** Thousandths of the stated unit, such as Wh in kWh or litres in m³: what a grid's zeros stand for. */
const THOUSANDTHS = -3;

/** A grid's interval: time stamp of 20 characters, value of five, and the names around them. */
const GRID_INTERVAL_BYTES = 64;

/** Text that JSON needs not escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

export type RecordWriter = (index: DailyIndex, findings: readonly Finding[]) => Buffer;

/** A number with its code and unit: a register, a peak, or one end of an extreme. */
interface Value {
  readonly obis: ObisCode;
  readonly unit: Unit;
  readonly scaler: number;
  readonly value: number;
}

/**
 * The MDM's record of a daily index: JSON MeterReadings after IEC 61968-9 (docs/mdm has description and schema),
 * as bytes. It is a pure function of the reading, so that a second delivery is the same record.
 *
 * It is put together directly, quarter-hours as bytes: as an object graph for JSON.stringify a day cost 90 µs, as
 * text 40, and like this under 10, beside some 160 for the cryptography of a message (bench/router.ts).
 */
export function createRecordWriter(): RecordWriter {
  const writer = new ByteWriter();
  const grids = new IntervalGrids();
  const types = new TypeNames();

  function valueJson(meter: MeterReading, value: Value, role: Role, time: string, qualities: string): string {
    const { json, multiplier } = types.of(meter.medium, value.obis, value.unit, role);
    return `{${time},"value":"${decimal(value.value, value.scaler - multiplier)}",${json},${qualities}}`;
  }

  function readingsJson(
    index: DailyIndex,
    findings: readonly Finding[],
    meterAt: number,
    captured: string,
  ): string {
    const meter = index.meters[meterAt]!;
    const flags = meter.flags | clockFlags(index.clock);
    // Nearly everything was captured at one moment.
    const timeOf = ({ epochSeconds, offsetMinutes }: Timestamp): string =>
      epochSeconds === index.capturedAt.epochSeconds && offsetMinutes === index.capturedAt.offsetMinutes
        ? captured
        : stamp(offsetText({ epochSeconds, offsetMinutes }));
    let text = '';
    for (const [at, register] of meter.registers.entries()) {
      const time = timeOf(register.time ?? index.capturedAt);
      const qualities = qualitiesOf(findings, meterAt, 'registers', at, flags | register.flags);
      text += `,${valueJson(meter, register, 'register', time, qualities)}`;
    }
    for (const [at, peak] of meter.peaks.entries()) {
      const time = `${peak.time === null ? '' : `${timeOf(peak.time)},`}"Month":${quoted(peak.month)}`;
      text += `,${valueJson(meter, peak, 'peak', time, qualitiesOf(findings, meterAt, 'peaks', at, flags))}`;
    }
    for (const [at, extreme] of meter.extremes.entries()) {
      const { obis, unit, scaler, min, max } = extreme;
      const qualities = qualitiesOf(findings, meterAt, 'extremes', at, flags);
      text += `,${valueJson(meter, { obis, unit, scaler, value: min }, 'minimum', captured, qualities)}`;
      text += `,${valueJson(meter, { obis, unit, scaler, value: max }, 'maximum', captured, qualities)}`;
    }
    return text.slice(1);
  }

  function writeBlock(meter: MeterReading, profile: Profile, qualities: string): void {
    const { obis, unit, scaler, start, periodSeconds, deltas } = profile;
    const { json, multiplier } = types.of(meter.medium, obis, unit, { periodSeconds });
    const exponent = scaler - multiplier;
    const grid = grids.of(start, periodSeconds, deltas.length);
    writer.text(`{${json},"IntervalReadings":[`);
    const usual = exponent === THOUSANDTHS && qualities === VALID_JSON;
    const filled =
      usual && writer.block(deltas.length * GRID_INTERVAL_BYTES, (bytes, at) => grid.fill(bytes, at, deltas));
    if (!filled) writer.text(intervalsText(grid.openings, deltas, exponent, qualities));
    writer.text(']}');
  }

  function writeMeter(
    index: DailyIndex,
    findings: readonly Finding[],
    meterAt: number,
    captured: string,
  ): void {
    const meter = index.meters[meterAt]!;
    const flags = meter.flags | clockFlags(index.clock);
    const readings = readingsJson(index, findings, meterAt, captured);
    // Without a reading there is nothing that the meter's own flags could stand beside.
    const bare = readings === '' ? `,${qualitiesOf(findings, meterAt, 'meter', 0, flags)}` : '';
    writer.text(
      `${meterAt === 0 ? '' : ','}{"Meter":{"Names":[${namesJson(meter)}]},"Medium":"${meter.medium}","Channel":${meter.channel}${bare},"Readings":[${readings}],"IntervalBlocks":[`,
    );
    for (const [at, profile] of meter.profiles.entries()) {
      if (at > 0) writer.text(',');
      writeBlock(meter, profile, qualitiesOf(findings, meterAt, 'profiles', at, flags & INTERVAL_FLAGS));
    }
    writer.text(']}');
  }

  return (index, findings) => {
    const captured = offsetText(index.capturedAt);
    writer.text(`{"Header":${headerJson(index, captured)},"Payload":{"MeterReadings":{"MeterReading":[`);
    for (let at = 0; at < index.meters.length; at++) writeMeter(index, findings, at, stamp(captured));
    writer.text(']}}}');
    return writer.take();
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

function headerJson(index: DailyIndex, captured: string): string {
  const { tenant, device, sequence, day, clock } = index;
  return `{"Verb":"created","Noun":"MeterReadings","Timestamp":"${captured}","Source":"hes-gateway","MessageID":"${idempotencyKey(index)}","Tenant":"${tenant}","Device":"${device}","Sequence":${sequence},"Day":${quoted(day)},"Clock":"${clock}"}`;
}

function namesJson({ serial, ean }: MeterReading): string {
  const name = (value: string, type: string) => `{"name":${quoted(value)},"NameType":{"name":"${type}"}}`;
  return ean === null ? name(serial, 'serial') : `${name(serial, 'serial')},${name(ean, 'EAN')}`;
}

function stamp(time: string): string {
  return `"timeStamp":"${time}"`;
}

/** A JSON string of ASCII: what is beyond it is escaped, since the record is written as single bytes. */
function quoted(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
