import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { AcceptedRecord } from './records.ts';

/** A daily index as its MDM has it, in whole Wh, litres and seconds. */
export interface FoundIndex {
  readonly device: DeviceId;
  readonly owner: TenantId;
  readonly day: string;
  readonly capturedSeconds: number;
  readonly meters: readonly FoundMeter[];
}

export interface FoundMeter {
  readonly serial: string;
  readonly qualities: readonly string[];
  /** By OBIS code, those that count: not peaks, voltages or currents. */
  readonly registers: ReadonlyMap<string, FoundRegister>;
  /** By OBIS code, and in it by the end of each period; null is a gap. */
  readonly profiles: ReadonlyMap<string, ReadonlyMap<number, number | null>>;
}

export interface FoundRegister {
  readonly value: number;
  readonly seconds: number;
  readonly qualities: readonly string[];
}

interface Qualified {
  readonly ReadingQualities?: readonly { readonly ReadingQualityType: { readonly ref: string } }[];
}

interface Typed {
  readonly ReadingType: { readonly obis: string };
}

interface RecordBody {
  readonly Header: {
    readonly Timestamp: string;
    readonly Device: DeviceId;
    readonly Tenant: TenantId;
    readonly Day: string;
  };
  readonly Payload: {
    readonly MeterReadings: {
      readonly MeterReading: readonly (Qualified & {
        readonly Meter: { readonly Names: readonly { readonly name: string }[] };
        readonly Readings: readonly (Typed &
          Qualified & { readonly timeStamp: string; readonly value: string })[];
        readonly IntervalBlocks: readonly (Typed & {
          readonly IntervalReadings: readonly { readonly timeStamp: string; readonly value?: string }[];
        })[];
      })[];
    };
  };
}

const COUNTING = /^1-0:[12]\.8\.[012]$|:24\.2\.[13]$/;

export function foundIndex({ text }: AcceptedRecord): FoundIndex {
  const { Header, Payload } = (JSON.parse(text) as { record: RecordBody }).record;
  return {
    device: Header.Device,
    owner: Header.Tenant,
    day: Header.Day,
    capturedSeconds: seconds(Header.Timestamp),
    meters: Payload.MeterReadings.MeterReading.map((meter) => ({
      serial: meter.Meter.Names[0]!.name,
      qualities: qualities(meter),
      registers: new Map(
        meter.Readings.filter(({ ReadingType }) => COUNTING.test(ReadingType.obis)).map((reading) => [
          reading.ReadingType.obis,
          {
            value: thousandths(reading.value),
            seconds: seconds(reading.timeStamp),
            qualities: qualities(reading),
          },
        ]),
      ),
      profiles: new Map(
        meter.IntervalBlocks.map(({ ReadingType, IntervalReadings }) => [
          ReadingType.obis,
          new Map(
            IntervalReadings.map(({ timeStamp, value }) => [
              seconds(timeStamp),
              value === undefined ? null : thousandths(value),
            ]),
          ),
        ]),
      ),
    })),
  };
}

const seconds = (text: string): number => Date.parse(text) / 1_000;

/** kWh as Wh, m³ as litres. */
const thousandths = (text: string): number => Math.round(Number(text) * 1_000);

function qualities({ ReadingQualities = [] }: Qualified): string[] {
  return ReadingQualities.map(({ ReadingQualityType }) => ReadingQualityType.ref);
}
