import { hash } from 'node:crypto';
import { dayAfter, dayNamed, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import { EmulatedDevice, snapshotAt } from '../../meter-emulator/device.ts';
import { type Fleet, planFleet } from '../../meter-emulator/fleet.ts';
import { createWorld } from '../../meter-emulator/world.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import type { AcceptedRecord } from './records.ts';

/**
 * What must be at the MDMs after a run, worked out from the seed alone: from the emulator's own integers, by none of
 * the code that carried the readings there (no telegram, no accumulator, no envelope, no record writer). And the
 * judge that holds what is there against it.
 */

/** One daily index: whose device, whose reading, which day. */
export type IndexName = `${DeviceId}/${TenantId}/${string}`;

/** The registers of an index, and a digest of its quarter-hours, as text that can be compared and read. */
export type IndexContent = string;

export interface EmulatedRun {
  readonly seed: number;
  /** Streams in all, as `--meters` has it. */
  readonly meters: number;
  /** All of the consortium, unless told. */
  readonly tenants?: readonly TenantId[];
}

/** The streams of a run: each device with each owner that it sends an index to. */
export function streamsOf(
  run: EmulatedRun,
): readonly { readonly device: DeviceId; readonly owner: TenantId }[] {
  return fleetOf(run).devices.flatMap(({ id, home, guests }) =>
    [home, ...guests].map((owner) => ({ device: id, owner })),
  );
}

export function daysFrom(first: string, count: number): LocalDay[] {
  return Array.from({ length: count }, (_, at) => dayAfter(dayNamed(first), at));
}

/** Every index of some days, with what it must say. */
export function emulatedIndexes(
  run: EmulatedRun,
  days: readonly LocalDay[],
): ReadonlyMap<IndexName, IndexContent> {
  const world = createWorld(run.seed);
  const indexes = new Map<IndexName, IndexContent>();
  for (const plan of fleetOf(run).devices) {
    const device = new EmulatedDevice(world, plan);
    for (const { ordinal, name, quarters } of days) {
      const today = device.day(ordinal);
      // From the midnight that begins the day to the one that ends it.
      const shown = Array.from({ length: quarters + 1 }, (_, quarter) => snapshotAt(today, quarter).meters);
      for (const owner of [plan.home, ...plan.guests]) {
        const content = plan.meters.flatMap((meter, at) =>
          meter.owner !== owner
            ? []
            : shown[quarters]![at]!.registers.map(({ obis }, register) =>
                describe(
                  shown[quarters]![at]!.serial,
                  obis,
                  shown.map((meters) => meters[at]!.registers[register]!.value),
                ),
              ),
        );
        indexes.set(`${plan.id}/${owner}/${name}`, content.toSorted().join('\n'));
      }
    }
  }
  return indexes;
}

/** A register that counts: import and export of electricity, and the volume of everything else. */
const COUNTING = /^1-0:[12]\.8\.[12]$|:24\.2\.[13]$|^[678]-0:/;

interface ReadingTypeOf {
  readonly ReadingType: { readonly obis: string };
}

interface RecordBody {
  readonly Header: { readonly Device: DeviceId; readonly Tenant: TenantId; readonly Day: string };
  readonly Payload: {
    readonly MeterReadings: {
      readonly MeterReading: readonly {
        readonly Meter: { readonly Names: readonly { readonly name: string }[] };
        readonly Readings: readonly (ReadingTypeOf & { readonly value: string })[];
        readonly IntervalBlocks?: readonly (ReadingTypeOf & {
          readonly IntervalReadings: readonly { readonly value: string }[];
        })[];
      }[];
    };
  };
}

/** What a record of an MDM says, in the words of `emulatedIndexes`. */
export function contentOf(record: AcceptedRecord): {
  readonly name: IndexName;
  readonly content: IndexContent;
} {
  const { Header, Payload } = (JSON.parse(record.text) as { record: RecordBody }).record;
  const content = Payload.MeterReadings.MeterReading.flatMap(({ Meter, Readings, IntervalBlocks = [] }) =>
    Readings.filter(({ ReadingType }) => COUNTING.test(ReadingType.obis)).map(({ ReadingType, value }) => {
      const block = IntervalBlocks.find((candidate) => candidate.ReadingType.obis === ReadingType.obis);
      const deltas = block?.IntervalReadings.map((interval) => interval.value) ?? [];
      return line(Meter.Names[0]!.name, ReadingType.obis, value, deltas);
    }),
  );
  return { name: `${Header.Device}/${Header.Tenant}/${Header.Day}`, content: content.toSorted().join('\n') };
}

function describe(serial: string, obis: string, values: readonly number[]): string {
  const deltas = values.slice(1).map((value, at) => thousandths(value - values[at]!));
  return line(serial, obis, thousandths(values.at(-1)!), deltas);
}

function line(serial: string, obis: string, value: string, deltas: readonly string[]): string {
  return `${serial} ${obis} ${value} (${deltas.length} quarter-hours ${hash('sha1', deltas.join()).slice(0, 8)})`;
}

/** Wh as kWh, litres as m³, MJ as GJ. */
function thousandths(value: number): string {
  const digits = String(Math.abs(value)).padStart(4, '0');
  return `${value < 0 ? '-' : ''}${digits.slice(0, -3)}.${digits.slice(-3)}`;
}

/** What is wrong; each list names indexes or keys. All of them empty is what "once in effect" means. */
export interface Judgement {
  /** At no MDM. */
  readonly lost: readonly string[];
  /** A day of a stream that was accepted more than once. */
  readonly twice: readonly string[];
  /** At the MDM of somebody else. */
  readonly misrouted: readonly string[];
  /** Not of this run, or of a day that was not in it. */
  readonly invented: readonly string[];
  /** Says something else than its meter showed. */
  readonly falsified: readonly string[];
  /** Two records of one stream with one sequence. */
  readonly numberedTwice: readonly string[];
}

export const INNOCENT: Judgement = {
  lost: [],
  twice: [],
  misrouted: [],
  invented: [],
  falsified: [],
  numberedTwice: [],
};

/** Hold what the MDMs accepted, each under its own tenant, against what should be there. */
export function judge(
  expected: ReadonlyMap<IndexName, IndexContent>,
  accepted: ReadonlyMap<TenantId, readonly AcceptedRecord[]>,
): Judgement {
  const seen = new Map<IndexName, number>();
  const keys = new Map<string, number>();
  const misrouted: string[] = [];
  const invented: string[] = [];
  const falsified: string[] = [];
  for (const [tenant, records] of accepted)
    for (const record of records) {
      const { name, content } = contentOf(record);
      const owner = name.split('/')[1];
      count(seen, name);
      count(keys, record.key);
      if (tenant !== record.tenant || tenant !== owner) misrouted.push(`${name} at ${tenant}`);
      const right = expected.get(name);
      if (right === undefined) invented.push(name);
      else if (right !== content) falsified.push(`${name}:\n${content}\ninstead of\n${right}`);
    }
  return {
    lost: [...expected.keys()].filter((name) => !seen.has(name)),
    twice: severalOf(seen),
    misrouted,
    invented,
    falsified,
    numberedTwice: severalOf(keys),
  };
}

function count<Name>(counts: Map<Name, number>, name: Name): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function severalOf(counts: ReadonlyMap<string, number>): string[] {
  return [...counts].filter(([, times]) => times > 1).map(([name]) => name);
}

function fleetOf({ seed, meters, tenants }: EmulatedRun): Fleet {
  const rows = CONSORTIUM.filter(({ id }) => tenants === undefined || tenants.includes(id));
  return planFleet({ seed, meters, tenants: rows });
}
