import { setTimeout as delay } from 'node:timers/promises';
import type { TenantId } from '../../../protocol/identity.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { type CounterSnapshot, sumCounters } from '../../runtime/counters.ts';
import type { Supervisor } from '../../runtime/supervisor.ts';
import { renderCount, renderDashboard, renderProgress, type View } from './dashboard.ts';
import { endingsIn } from './ending.ts';
import type { RunReport, TenantReport } from './report.ts';
import type { Screen } from './screen.ts';

const DRAW_EVERY_MS = 250;
/** The rate shown is that of the last few seconds. */
const RATE_OVER_MS = 5_000;
/** In a pipe, a line of progress of a run without end comes so often. */
const LINE_EVERY_MS = 30_000;
/** Counters come twice a second. */
const SETTLE_EVERY_MS = 600;
const SETTLE_ATTEMPTS_MIN = 1;
const SETTLE_ATTEMPTS_MAX = 5;

export interface WatchOptions {
  readonly supervisor: Supervisor;
  readonly screen: Screen;
  readonly tenants: readonly TenantId[];
  /** Tenants whose MDM is simulated here: only theirs can be asked what arrived. */
  readonly simulated: readonly TenantId[];
  readonly once: boolean;
  readonly seed: number;
  readonly title: () => string;
  readonly footer: string;
}

interface Sample {
  readonly atMs: number;
  readonly delivered: ReadonlyMap<TenantId, number>;
}

/** Looks at the processes' counters: draws them while the run goes on, and sums them up at its end. */
export class Watch {
  readonly #options: WatchOptions;
  readonly #samples: Sample[] = [];
  #timer: NodeJS.Timeout | undefined;
  #lineAtMs = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  begin(): void {
    const { screen, once, title, footer } = this.#options;
    this.#lineAtMs = performance.now();
    // Whoever reads a log wants to know that it runs, and where.
    if (!screen.live && !once) screen.print(`${title()} · ${footer}`);
    this.#timer = setInterval(() => this.#tick(), DRAW_EVERY_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#options.screen.clear();
  }

  #tick(): void {
    const { screen, once } = this.#options;
    this.#sample();
    if (screen.live)
      screen.draw(once ? [this.#progress(renderProgress)] : renderDashboard(this.#view(), screen.columns));
    else if (!once && performance.now() - this.#lineAtMs > LINE_EVERY_MS) {
      this.#lineAtMs = performance.now();
      screen.print(this.#progress(renderCount));
    }
  }

  /** The counters of the last moment may still be on their way: wait until the MDMs' stand still. */
  async settle(): Promise<void> {
    let before = -1;
    for (let attempt = 0; attempt < SETTLE_ATTEMPTS_MAX; attempt++) {
      const now = this.#counted('mdm', (name) => name.endsWith('.known'));
      if (now === before && attempt >= SETTLE_ATTEMPTS_MIN) return;
      before = now;
      await delay(SETTLE_EVERY_MS);
    }
  }

  report(days: number, durationMs: number): RunReport {
    const { tenants, simulated, seed } = this.#options;
    const mdm = this.#counters('mdm');
    const rows = tenants
      .map((tenant) => [tenant, this.#tenant(tenant)] as const)
      .filter(([, row]) => row.meters > 0 || row.refused > 0);
    // What an MDM knows, and not what it accepted: it may have been killed and started again in between.
    // An operator's own MDM cannot be asked: there the receipts, which only its router can make, are what is known.
    const arrived = ([tenant, { delivered }]: (typeof rows)[number]): number =>
      simulated.includes(tenant) ? (mdm[`mdm.${tenant}.known`] ?? 0) : delivered;
    const lost = rows.reduce(
      (sum, row) => sum + Math.max(0, row[1].expected - row[1].refused - arrived(row)),
      0,
    );
    const misrouted = simulated.reduce((sum, tenant) => sum + (mdm[`mdm.${tenant}.misrouted`] ?? 0), 0);
    return { seed, days, tenants: Object.fromEntries(rows), lost, misrouted, durationMs };
  }

  #tenant(tenant: TenantId): TenantReport {
    const counters = this.#counters('fleet');
    const count = (name: string): number => counters[`fleet.${name}.${tenant}`] ?? 0;
    return {
      meters: count('meters'),
      expected: count('expected'),
      delivered: count('delivered'),
      duplicates: count('duplicates'),
      refused: count('refused'),
    };
  }

  #counters(child: string): CounterSnapshot {
    return this.#options.supervisor.child(child)?.counters ?? {};
  }

  #counted(child: string, which: (name: string) => boolean): number {
    return Object.entries(this.#counters(child)).reduce(
      (sum, [name, count]) => (which(name) ? sum + count : sum),
      0,
    );
  }

  #sample(): void {
    const atMs = performance.now();
    const delivered = new Map(
      this.#options.tenants.map((tenant) => [tenant, this.#tenant(tenant).delivered]),
    );
    this.#samples.push({ atMs, delivered });
    while (this.#samples.length > 2 && atMs - this.#samples[0]!.atMs > RATE_OVER_MS) this.#samples.shift();
  }

  #rate(tenant: TenantId): number {
    const first = this.#samples.at(0);
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    const delivered = last.delivered.get(tenant)! - first.delivered.get(tenant)!;
    return Math.max(0, (delivered / (last.atMs - first.atMs)) * 1_000);
  }

  #progress(render: typeof renderProgress): string {
    const rows = this.#options.tenants.map((tenant) => this.#tenant(tenant));
    const sum = (of: (row: TenantReport) => number): number =>
      rows.reduce((total, row) => total + of(row), 0);
    const perSecond = this.#options.tenants.reduce((total, tenant) => total + this.#rate(tenant), 0);
    const refused = sum((row) => row.refused);
    return render(
      sum((row) => row.delivered),
      sum((row) => row.expected),
      `with receipt, ${perSecond.toFixed(0)} a second${refused > 0 ? `, ${refused} refused` : ''}`,
    );
  }

  #view(): View {
    const { supervisor, tenants, once, title, footer } = this.#options;
    const fleet = this.#counters('fleet');
    const today = (name: string, tenant: TenantId): number => fleet[`fleet.today.${name}.${tenant}`] ?? 0;
    const children = supervisor.children;
    return {
      title: title(),
      tenants: tenants.map((tenant) => {
        const row = this.#tenant(tenant);
        return {
          ...row,
          name: CONSORTIUM.find(({ id }) => id === tenant)?.name ?? tenant,
          expected: once ? row.expected : today('expected', tenant),
          delivered: once ? row.delivered : today('delivered', tenant),
          perSecond: this.#rate(tenant),
        };
      }),
      ...commandsOf(supervisor.counters()),
      refusals: refusalsOf(supervisor.counters()),
      endings: endingsIn(supervisor.counters()),
      processes: {
        up: children.filter(({ state }) => state === 'ready').length,
        all: children.length,
        restarts: children.reduce((sum, { restarts }) => sum + restarts, 0),
      },
      footer,
    };
  }
}

/** What became of commands at all desks of this run. */
const ENDS = ['executed', 'refused', 'failed', 'expired', 'unknown', 'cancelled'] as const;

function commandsOf(counters: Readonly<Record<string, CounterSnapshot>>): Pick<View, 'commands'> {
  const desks = Object.entries(counters).filter(([name]) => name.startsWith('desk-'));
  if (desks.length === 0) return {};
  const sum = sumCounters(desks.map(([, snapshot]) => snapshot));
  const ends = ENDS.map((state) => [state, sum[`commands.${state}`] ?? 0] as const);
  return { commands: { ...Object.fromEntries(ends), 'on their way': sum['dispatch.inFlight'] ?? 0 } };
}

/** Everything that was turned away or left unanswered, by its reason, over front and routers. */
function refusalsOf(counters: Readonly<Record<string, CounterSnapshot>>): Record<string, number> {
  const refusals: Record<string, number> = {};
  for (const [name, count] of Object.entries(sumCounters(Object.values(counters)))) {
    const reason = /^(?:refused|unanswered)\.(.+)$/.exec(name)?.[1];
    if (reason !== undefined) refusals[reason] = (refusals[reason] ?? 0) + count;
  }
  return refusals;
}
