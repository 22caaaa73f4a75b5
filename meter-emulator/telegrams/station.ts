import type { LocalDay } from '../../gateway/edge/days/calendar.ts';
import { offsetMinutesAt } from '../../gateway/edge/days/calendar.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { emulatedDeviceId } from '../numbers.ts';
import type { EdgeSide, Station } from '../run/station.ts';
import { type Recording, replay } from './recording.ts';

/** Meters that are absent for longer than the edge waits end their day with what was seen last (edge/days/owner-days.ts). */
const ABSENCE_SECONDS = 3_600;

/** A recording as the meter that it was made of. All that is in it, M-Bus channels too, belongs to one tenant. */
export class RecordedStation implements Station {
  readonly id: DeviceId;
  readonly owners: readonly TenantId[];
  readonly recording: Recording;
  readonly #tenant: TenantId;

  constructor(recording: Recording, tenant: TenantId) {
    this.id = recordedDeviceId(tenant, recording.file.name);
    this.owners = [tenant];
    this.recording = recording;
    this.#tenant = tenant;
  }

  readonly ownerOf = (): TenantId => this.#tenant;

  /**
   * A day closes with its own last telegram, as printed: the first one of the next day may be a night or a year
   * away, and there is none after the last.
   */
  async show(days: readonly LocalDay[], edge: EdgeSide): Promise<void> {
    await replay(this.recording, days, {
      snapshot: edge.observe,
      ended: async (day) => {
        const epochSeconds = day.end + ABSENCE_SECONDS;
        const at = { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
        edge.observe({ at, meterTime: null, meters: [] });
        await edge.close(day);
      },
    });
  }
}

/** The pseudonym of a recording: by its name, so that a second run over the same folder finds its outbox. */
export function recordedDeviceId(tenant: TenantId, name: string): DeviceId {
  return emulatedDeviceId('recording', tenant, name);
}
