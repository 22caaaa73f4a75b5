import type { LocalDay } from '../../gateway/edge/days/calendar.ts';
import { Lanes } from './lanes.ts';
import type { Station } from './station.ts';
import type { Tally } from './tally.ts';
import { TROUBLE_RETRY_MS, type Visits } from './visits.ts';

export interface BoundedRunOptions {
  readonly visits: Visits;
  readonly tally: Tally;
  readonly stations: readonly Station[];
  readonly daysOf: (station: Station) => readonly LocalDay[];
  /** Days that a device closes before it is woken: one for a fleet that lives day by day, more for a recording. */
  readonly daysPerVisit: number;
  /** Devices of one home tenant that are awake at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

interface Task {
  readonly station: Station;
  readonly days: readonly LocalDay[];
  next: number;
  begun: boolean;
}

/**
 * Close the days of a bounded run and send their indexes, as fast as bounded concurrency allows: every device in
 * turn closes its next day and sends; who could not send is tried again, with backoff. Ends when every index has its
 * receipt, or when the signal is aborted (deadline, Ctrl-C).
 */
export async function runOnce(options: BoundedRunOptions): Promise<void> {
  const { visits, tally, stations, daysOf, daysPerVisit, concurrency, signal } = options;
  const tasks = stations.map((station): Task => ({ station, days: daysOf(station), next: 0, begun: false }));
  for (const { station, days } of tasks) for (const owner of station.owners) tally.expect(owner, days.length);

  const queue = new Lanes<Task>({
    items: tasks,
    stationOf: ({ station }) => station,
    concurrency,
    work: async (task) => {
      task.begun ||= await visits.begin(task.station, task.days);
      if (!task.begun) return TROUBLE_RETRY_MS;
      const batch = task.days.slice(task.next, task.next + daysPerVisit);
      const closed = batch.length === 0 ? 0 : await visits.close(task.station, batch);
      task.next += closed;
      if (closed > 0) tally.beginDay(task.days[task.next - 1]!.name);
      const againInMs = await visits.wake(task.station);
      if (task.next === task.days.length) return againInMs;
      return closed > 0 ? 0 : Math.max(againInMs ?? 0, TROUBLE_RETRY_MS);
    },
  });
  const stop = (): void => void queue.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (!signal.aborted) for (const task of tasks) queue.add(task);
    await queue.idle();
  } finally {
    signal.removeEventListener('abort', stop);
    await queue.stop();
  }
}
