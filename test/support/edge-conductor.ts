import { setTimeout as delay } from 'node:timers/promises';
import { QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import type { EdgeStatus } from '../../gateway/edge/service/status.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import type { SteeredClock } from './edge-clock.ts';
import type { CuttableNetwork } from './edge-proxy.ts';
import type { ChaosSource } from './edge-sources.ts';
import type { Event, Happening } from './edge-story.ts';
import { until } from './processes.ts';

export interface ConductorOptions {
  readonly clock: SteeredClock;
  readonly sources: readonly ChaosSource[];
  readonly network: CuttableNetwork;
  readonly edge: Child;
  /** Processes of the head-end that may fall. */
  readonly headEnd: readonly Child[];
  readonly status: () => Promise<EdgeStatus | undefined>;
  /** Done to the files of the edge while it is dead. */
  readonly whileDead?: () => void;
}

/**
 * What was taken before a kill has had a minute and more in the field to get to the disk; here the clock stands still
 * in between, so that the disk is given time.
 */
const SETTLE_MS = 400;
/** A start on a machine that others use as well. */
const BACK_WITHIN_MS = 120_000;

/** What happens at one moment, in this order. */
interface Moment {
  readonly seconds: number;
  readonly ends: readonly Event[];
  readonly begins: readonly Event[];
  /** The meters speak at each quarter-hour's boundary, and when they are asked to. */
  readonly isSpoken: boolean;
}

/**
 * Plays a story: sets the clock to each moment, lets the meters speak, waits until the edge has heard them, and does
 * what the story wants. So what was clearly to be received is known, whatever the speed of the machine.
 */
export class Conductor {
  readonly #options: ConductorOptions;
  readonly done: Record<Happening, number> = { kill: 0, unplug: 0, cut: 0, fall: 0, damage: 0 };
  /** Kills, with those in the middle of a start. */
  kills = 0;
  #edgeIsUp = true;
  #restarts = 0;
  readonly #damaged = new Set<ChaosSource>();

  constructor(options: ConductorOptions) {
    this.#options = options;
  }

  /** @param also moments besides the quarter-hours' boundaries at which the meters speak */
  async play(
    story: readonly Event[],
    from: number,
    until: number,
    also: readonly number[] = [],
  ): Promise<void> {
    for (const moment of momentsOf(story, from, until, also)) await this.#moment(moment);
  }

  async #moment({ seconds, ends, begins, isSpoken }: Moment): Promise<void> {
    const { clock, sources } = this.#options;
    if (ends.some(({ what }) => what === 'kill')) clock.set(seconds);
    else if (this.#edgeIsUp) clock.set(Math.max(seconds, clock.seconds));
    for (const event of ends) await this.#end(event);
    const isHeard = this.#edgeIsUp && (isSpoken || ends.length > 0);
    const abrupt = isHeard ? begins.filter(({ moment }) => moment !== 'settled') : [];
    if (isHeard) await this.#speak(clock.seconds, sources, abrupt);
    for (const event of begins) if (!abrupt.includes(event)) await this.#begin(event);
  }

  /** The meters show what they show now; what happens in the middle of it happens. */
  async #speak(seconds: number, all: readonly ChaosSource[], abrupt: readonly Event[]): Promise<void> {
    const { clock, status } = this.#options;
    const sources = all.filter(({ isPlugged }) => isPlugged);
    await Promise.all(sources.map((source) => source.ready()));
    const kill = abrupt.find(({ what }) => what === 'kill');
    const unplugged = new Map(
      abrupt
        .filter(({ what }) => what === 'unplug')
        .flatMap((event) => this.#sourcesOf(event).map((source) => [source, event] as const)),
    );
    if (kill !== undefined) await delay(SETTLE_MS);
    const heard: ChaosSource[] = [];
    for (const source of sources) {
      const event = kill ?? unplugged.get(source);
      const isHalf = event?.moment === 'in-the-middle';
      const isDamaged = this.#damaged.has(source);
      source.send(seconds, isHalf ? 'half' : isDamaged ? 'damaged' : 'whole');
      if (isHalf || isDamaged) continue;
      if (event === undefined) heard.push(source);
      else source.doubt();
    }
    // The hand that pulls a cable does not wait for the others to be read.
    for (const event of unplugged.values()) await this.#begin(event);
    if (kill !== undefined) await this.#begin(kill);
    else for (const source of heard) await source.taken(clock, status);
  }

  async #begin(event: Event): Promise<void> {
    const { clock, network, edge, headEnd } = this.#options;
    switch (event.what) {
      case 'kill':
        if (event.moment === 'settled') await delay(SETTLE_MS);
        this.#restarts = edge.restarts;
        edge.kill('SIGKILL');
        this.kills += 1;
        this.#edgeIsUp = false;
        // It starts again by itself, and finds the time at which the outage is over.
        clock.set(event.until);
        this.#options.whileDead?.();
        break;
      case 'unplug':
        for (const source of this.#sourcesOf(event)) await source.unplug();
        break;
      case 'damage':
        for (const source of this.#sourcesOf(event)) this.#damaged.add(source);
        break;
      case 'cut':
        await network.cut();
        break;
      case 'fall':
        headEnd[Math.floor(event.which * headEnd.length)]!.kill('SIGKILL');
        break;
    }
    this.done[event.what] += 1;
  }

  async #end(event: Event): Promise<void> {
    switch (event.what) {
      case 'kill':
        await this.#backToLife(event);
        break;
      case 'unplug':
        for (const source of this.#sourcesOf(event)) await source.plug();
        break;
      case 'damage':
        for (const source of this.#sourcesOf(event)) this.#damaged.delete(source);
        break;
      case 'cut':
        await this.#options.network.mend();
        break;
      case 'fall':
        break;
    }
  }

  async #backToLife({ againMs }: Event): Promise<void> {
    const { edge } = this.#options;
    const isBack = (restarts: number) => () => edge.restarts > restarts && edge.state === 'ready';
    if (againMs !== null) {
      await until('the edge starts again', () => edge.restarts > this.#restarts && edge.pid !== undefined);
      await delay(againMs);
      const { restarts } = edge;
      if (edge.kill('SIGKILL')) {
        this.kills += 1;
        this.#restarts = restarts;
        this.#options.whileDead?.();
      }
    }
    await until('the edge is back', isBack(this.#restarts), BACK_WITHIN_MS);
    this.#edgeIsUp = true;
  }

  #sourcesOf({ which }: Event): readonly ChaosSource[] {
    const { sources } = this.#options;
    return [sources[Math.floor(which * sources.length)]!];
  }
}

function momentsOf(story: readonly Event[], from: number, until: number, also: readonly number[]): Moment[] {
  const times = new Set<number>(also);
  for (let at = from; at <= until; at += QUARTER_SECONDS) times.add(at);
  for (const event of story) times.add(event.from).add(event.until);
  return [...times]
    .sort((one, other) => one - other)
    .map((seconds) => ({
      seconds,
      isSpoken: (seconds - from) % QUARTER_SECONDS === 0 || also.includes(seconds),
      ends: story.filter((event) => event.until === seconds),
      begins: story.filter((event) => event.from === seconds),
    }));
}
