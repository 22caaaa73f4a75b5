import {
  type DailyIndex,
  type Extreme,
  type MeterReading,
  type ObisCode,
  type Peak,
  type Profile,
  QUALITY,
  type Register,
  type Unit,
} from '../../../protocol/reading.ts';
import type { Finding, Part } from '../plausibility.ts';
import { decimal } from './decimal.ts';
import { IntervalGrids, offsetText } from './instants.ts';
import { clockFlags, flagCodes, MISSING, type QualityCode, VALID } from './quality.ts';
import { type Role, readingType } from './reading-type.ts';

/**
 * Reading types kept ready as JSON. The codes of a fleet are a few dozen; a stranger's inventions may not grow
 * the memory, so it is emptied when it is full.
 */
const TYPES_MAX = 1_024;

/** What of a meter's flags concerns every time stamp of its profile; the others speak of its registers. */
const INTERVAL_FLAGS = QUALITY.clockInvalid;

/** Text that JSON needs not escape. */
const PLAIN = /^[ !#-[\]-~]*$/;

const VALID_JSON = qualitiesJson([VALID]);
const GAP_JSON = `,${qualitiesJson([MISSING])}}`;

interface TypeJson {
  readonly json: string;
  readonly multiplier: number;
}

export type RecordWriter = (index: DailyIndex, findings: readonly Finding[]) => Buffer;

/**
 * The MDM's record of a daily index: JSON MeterReadings after IEC 61968-9 (docs/mdm has description and schema),
 * as bytes. It is a pure function of the reading, so that a second delivery is the same record.
 *
 * The text is put together directly: three hundred quarter-hours as an object graph for JSON.stringify cost
 * twice as much, a tenth of the whole pipeline (bench/router.ts).
 */
export function createRecordWriter(): RecordWriter {
  const grids = new IntervalGrids();
  const types = new Map<string, TypeJson>();

  function typeJson(meter: MeterReading, obis: ObisCode, unit: Unit, role: Role): TypeJson {
    const name = typeof role === 'string' ? role : role.periodSeconds;
    const key = `${meter.medium} ${obis} ${unit} ${name}`;
    let type = types.get(key);
    if (type === undefined) {
      const { ref, multiplier, mapped } = readingType(meter.medium, obis, unit, role);
      const marker = mapped ? '' : ',"unmapped":true';
      type = { json: `"ReadingType":{"ref":"${ref}","obis":${quoted(obis)}${marker}}`, multiplier };
      if (types.size >= TYPES_MAX) types.clear();
      types.set(key, type);
    }
    return type;
  }

  return (index, findings) => {
    const captured = offsetText(index.capturedAt);
    const always = clockFlags(index.clock);

    function qualities(meterAt: number, part: Part, at: number, flags: number): string {
      if (flags === 0 && findings.length === 0) return VALID_JSON;
      const codes = new Set<QualityCode>(flagCodes(flags));
      for (const found of findings)
        if (found.meter === meterAt && (found.part === 'meter' || (found.part === part && found.at === at)))
          codes.add(found.code);
      return codes.size === 0 ? VALID_JSON : qualitiesJson([...codes]);
    }

    function reading(
      meter: MeterReading,
      entry: Value,
      role: Role,
      time: string,
      qualitiesText: string,
    ): string {
      const { json, multiplier } = typeJson(meter, entry.obis, entry.unit, role);
      return `{${time},"value":"${decimal(entry.value, entry.scaler - multiplier)}",${json},${qualitiesText}}`;
    }

    function meterJson(meter: MeterReading, meterAt: number): string {
      const flags = meter.flags | always;
      const readings = meter.registers
        .map((register, at) =>
          registerJson(meter, register, qualities(meterAt, 'registers', at, flags | register.flags)),
        )
        .concat(meter.peaks.map((peak, at) => peakJson(meter, peak, qualities(meterAt, 'peaks', at, flags))))
        .concat(
          meter.extremes.map((extreme, at) =>
            extremeJson(meter, extreme, qualities(meterAt, 'extremes', at, flags)),
          ),
        );
      const blocks = meter.profiles.map((profile, at) =>
        blockJson(meter, profile, qualities(meterAt, 'profiles', at, flags & INTERVAL_FLAGS)),
      );
      // Without a reading there is nothing that the meter's own flags could stand beside.
      const bare = readings.length === 0 ? `,${qualities(meterAt, 'meter', 0, flags)}` : '';
      return `{"Meter":{"Names":[${namesJson(meter)}]},"Medium":"${meter.medium}","Channel":${meter.channel}${bare},"Readings":[${readings.join()}],"IntervalBlocks":[${blocks.join()}]}`;
    }

    function registerJson(meter: MeterReading, register: Register, qualitiesText: string): string {
      const time = register.time === null ? captured : offsetText(register.time);
      return reading(meter, register, 'register', `"timeStamp":"${time}"`, qualitiesText);
    }

    function peakJson(meter: MeterReading, peak: Peak, qualitiesText: string): string {
      const time = peak.time === null ? '' : `"timeStamp":"${offsetText(peak.time)}",`;
      return reading(meter, peak, 'peak', `${time}"Month":${quoted(peak.month)}`, qualitiesText);
    }

    function extremeJson(meter: MeterReading, extreme: Extreme, qualitiesText: string): string {
      const { obis, unit, scaler, min, max } = extreme;
      const time = `"timeStamp":"${captured}"`;
      const lowest = reading(meter, { obis, unit, scaler, value: min }, 'minimum', time, qualitiesText);
      return `${lowest},${reading(meter, { obis, unit, scaler, value: max }, 'maximum', time, qualitiesText)}`;
    }

    function blockJson(meter: MeterReading, profile: Profile, qualitiesText: string): string {
      const { obis, unit, scaler, start, periodSeconds, deltas } = profile;
      const { json, multiplier } = typeJson(meter, obis, unit, { periodSeconds });
      const openings = grids.openings(start, periodSeconds, deltas.length);
      // IEC 61968-9: an interval without qualities is a valid one, which spares most of the record.
      const close = qualitiesText === VALID_JSON ? '"}' : `",${qualitiesText}}`;
      const exponent = scaler - multiplier;
      let text = '';
      for (let i = 0; i < deltas.length; i++) {
        const delta = deltas[i]!;
        if (i > 0) text += ',';
        text += openings[i]!;
        text += delta === null ? GAP_JSON : `,"value":"${decimal(delta, exponent)}${close}`;
      }
      return `{${json},"IntervalReadings":[${text}]}`;
    }

    return Buffer.from(
      `{"Header":${headerJson(index, captured)},"Payload":{"MeterReadings":{"MeterReading":[${index.meters.map(meterJson).join()}]}}}`,
    );
  };
}

interface Value {
  readonly obis: ObisCode;
  readonly unit: Unit;
  readonly scaler: number;
  readonly value: number;
}

/** Delivery is at least once; by this key effect is once. */
export function idempotencyKey({
  device,
  tenant,
  sequence,
}: Pick<DailyIndex, 'device' | 'tenant' | 'sequence'>): string {
  return `${device}/${tenant}/${sequence}`;
}

function headerJson(index: DailyIndex, captured: string): string {
  const { tenant, device, sequence, day, clock } = index;
  return `{"Verb":"created","Noun":"MeterReadings","Timestamp":"${captured}","Source":"hes-gateway","MessageID":"${idempotencyKey(index)}","Tenant":"${tenant}","Device":"${device}","Sequence":${sequence},"Day":${quoted(day)},"Clock":"${clock}"}`;
}

function namesJson({ serial, ean }: MeterReading): string {
  const name = (value: string, type: string) => `{"name":${quoted(value)},"NameType":{"name":"${type}"}}`;
  return ean === null ? name(serial, 'serial') : `${name(serial, 'serial')},${name(ean, 'EAN')}`;
}

function qualitiesJson(codes: readonly QualityCode[]): string {
  return `"ReadingQualities":[${codes.map((code) => `{"ReadingQualityType":{"ref":"${code}"}}`).join()}]`;
}

function quoted(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text);
}
