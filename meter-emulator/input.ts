import type { LocalDay } from '../gateway/edge/days/calendar.ts';
import type { Clock } from '../gateway/runtime/clock.ts';
import type { Log } from '../gateway/runtime/log.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import { CONSORTIUM, type Tenant } from '../protocol/tenants.ts';
import type { FleetConfig } from './config.ts';
import { type DevicePlan, type Fleet, planFleet } from './fleet.ts';
import { EmulatedStation } from './run/emulated-station.ts';
import type { Station } from './run/station.ts';
import { findRecordings } from './telegrams/files.ts';
import { type Recording, scanRecording } from './telegrams/recording.ts';
import { RecordedStation, recordedDeviceId } from './telegrams/station.ts';
import { createWorld, type World } from './world.ts';

/** What a run is fed from. */
export interface Input {
  readonly stations: readonly Station[];
  readonly streams: ReadonlyMap<TenantId, number>;
  /** Days of a device's own; left out where the run says which. */
  readonly daysOf?: (station: Station) => readonly LocalDay[];
  /** One entry for each piece of input that no index can be made of. */
  readonly refused: readonly TenantId[];
  readonly unusable: readonly string[];
}

/** A device to be enrolled before a run. */
export interface Enrolment {
  readonly id: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
}

/**
 * Which devices a run has, for `provisionFleet`.
 * @throws ERR_FLEET_SIZE, ERR_FLEET_TENANTS, ERR_FLEET_SLICE, ERR_TELEGRAMS_PATH
 */
export async function enrolmentsOf(source: FleetConfig['source']): Promise<readonly Enrolment[]> {
  if (source.kind === 'emulated') return fleetOf(source).devices;
  const { recordings } = await findRecordings(source.path);
  return recordings.map(({ name }) => ({
    id: recordedDeviceId(source.tenant, name),
    home: source.tenant,
    guests: [],
  }));
}

/** The devices of an emulated fleet with the meters that they carry, for whoever registers them. */
export const plansOf = (source: EmulatedSource): readonly DevicePlan[] => fleetOf(source).devices;

export async function loadInput({ source }: FleetConfig, clock: Clock, log: Log): Promise<Input> {
  return source.kind === 'emulated' ? emulatedInput(source) : recordedInput(source, clock, log);
}

type EmulatedSource = Extract<FleetConfig['source'], { kind: 'emulated' }>;
type RecordedSource = Extract<FleetConfig['source'], { kind: 'telegrams' }>;

const MEDIA_OF_OTHERS = ['electricity', 'gas'] as const;

function fleetOf({ seed, meters, tenants, slice }: EmulatedSource): Fleet {
  const rows = tenants.map(({ id, media }): Tenant => {
    const known = CONSORTIUM.find((tenant) => tenant.id === id);
    return { id, name: known?.name ?? id, media: media ?? known?.media ?? MEDIA_OF_OTHERS };
  });
  return planFleet({ seed, meters, tenants: rows, slice });
}

let latestWorld: World | undefined;

function emulatedInput(source: EmulatedSource): Input {
  const { devices, streams } = fleetOf(source);
  // One process has one seed; where it starts a second run, the weather is there already.
  if (latestWorld?.seed !== source.seed) latestWorld = createWorld(source.seed);
  const world = latestWorld;
  const stations = devices.map((plan) => new EmulatedStation(world, plan, source.sampling));
  return { stations, streams, refused: [], unusable: [] };
}

async function recordedInput({ path, tenant }: RecordedSource, clock: Clock, log: Log): Promise<Input> {
  const stations: RecordedStation[] = [];
  const unusable: string[] = [];
  const { recordings, skipped } = await findRecordings(path);
  for (const { name } of skipped) log.warn({ file: name }, `${name}: skipped, no P1 telegram begins in it`);
  for (const file of recordings) {
    const recording = await scanRecording(file, clock.nowMs());
    const { telegrams } = recording;
    if (telegrams > 0) stations.push(new RecordedStation(recording, tenant));
    else unusable.push(file.name);
    report(recording, log);
  }
  const days = new Map<Station, readonly LocalDay[]>(
    stations.map((station) => [station, station.recording.days]),
  );
  return {
    stations,
    streams: new Map([[tenant, stations.length]]),
    daysOf: (station) => days.get(station)!,
    refused: unusable.map(() => tenant),
    unusable,
  };
}

/** Files are named: whoever recorded them must find the one that is meant. */
function report({ file, telegrams, faults }: Recording, log: Log): void {
  const context = { file: file.name, telegrams, faults };
  if (telegrams === 0)
    log.error(context, `${file.name}: refused, it holds no valid P1 telegram with a reading`);
  else if (Object.keys(faults).length > 0) log.warn(context, `${file.name}: damaged telegrams were left out`);
}
