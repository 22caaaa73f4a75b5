import type { LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { Snapshot } from '../../gateway/edge/source.ts';
import { HesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { EdgeHandle, IndexName, OpenEdge } from '../run/edge-handle.ts';
import type { EdgeSide, Outcome, Station } from '../run/station.ts';

/** What is on a fake device's disk: it outlives handles, as an outbox outlives a process. */
export interface FakeDisk {
  readonly through: Map<TenantId, number>;
  waiting: IndexName[];
  parked: IndexName[];
}

/** Edges without disk and network, for tests of the runner: what the operators answer is the test's to say. */
export class FakeEdges {
  readonly disks = new Map<string, FakeDisk>();
  /** Every close of a day, in order. */
  readonly closed: { readonly device: string; readonly day: string }[] = [];
  readonly sent: { readonly device: string; readonly owner: TenantId; readonly day: number }[] = [];
  opened = 0;
  released = 0;
  /** `null` is a wake that fails. */
  answer: (name: IndexName, station: Station) => Outcome | null = () => 'delivered';
  /** A wake takes as long as this. */
  hold: (station: Station) => Promise<void> = () => Promise.resolve();
  failClose: (station: Station, day: LocalDay) => string | null = () => null;
  retryMs = 1;

  readonly open: OpenEdge = async (station) => {
    this.opened++;
    const disk = this.disks.get(station.id) ?? { through: new Map(), waiting: [], parked: [] };
    this.disks.set(station.id, disk);
    return this.#handle(station, disk);
  };

  #handle(station: Station, disk: FakeDisk): EdgeHandle {
    let retryAtMs = 0;
    return {
      closedThrough: (owner) => disk.through.get(owner),
      waiting: () => disk.waiting,
      parked: () => disk.parked,
      observe: () => {},
      close: async (day) => {
        const code = this.failClose(station, day);
        if (code !== null) throw new HesError(code, 'a fault of the test');
        this.closed.push({ device: station.id, day: day.name });
        for (const owner of station.owners) {
          if ((disk.through.get(owner) ?? 0) >= day.ordinal) continue;
          disk.through.set(owner, day.ordinal);
          disk.waiting = [...disk.waiting, { owner, day: day.ordinal }];
        }
      },
      wake: async () => {
        await this.hold(station);
        const settled = disk.waiting.flatMap((name) => {
          this.sent.push({ device: station.id, ...name });
          const outcome = this.answer(name, station);
          return outcome === null ? [] : [{ ...name, outcome }];
        });
        disk.parked = [...disk.parked, ...settled.filter(({ outcome }) => outcome === 'refused')];
        disk.waiting = disk.waiting.filter(
          ({ owner, day }) => !settled.some((other) => other.owner === owner && other.day === day),
        );
        if (disk.waiting.length > 0) retryAtMs = performance.now() + this.retryMs;
        return { settled, failure: disk.waiting.length > 0 ? 'ERR_UPLINK_CONNECT' : null };
      },
      nextWakeInMs: () => (disk.waiting.length === 0 ? null : Math.max(0, retryAtMs - performance.now())),
      release: async () => {
        this.released++;
      },
    };
  }
}

/** A device that shows nothing and closes what it is asked to. */
export function fakeStation(id: string, ...owners: string[]): Station & { readonly shown: string[] } {
  const shown: string[] = [];
  return {
    id: id as Station['id'],
    owners: owners as TenantId[],
    ownerOf: () => owners[0] as TenantId,
    shown,
    async show(days: readonly LocalDay[], edge: EdgeSide) {
      for (const day of days) {
        shown.push(day.name);
        edge.observe({} as Snapshot);
        await edge.close(day);
      }
    },
  };
}
