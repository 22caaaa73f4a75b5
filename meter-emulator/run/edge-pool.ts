import type { EdgeHandle, OpenEdge } from './edge-handle.ts';
import type { Station } from './station.ts';

/**
 * Devices that are open, within a bound: an open one holds its keys and its TLS session in memory, about 20 KiB. The
 * one that was used longest ago is released first. Each device is in one pair of hands at a time.
 */
export class EdgePool {
  readonly #open: OpenEdge;
  readonly #openMax: number;
  /** In the order of their last use. */
  readonly #kept = new Map<Station, EdgeHandle>();
  readonly #busy = new Map<Station, Promise<void>>();

  constructor(open: OpenEdge, openMax: number) {
    this.#open = open;
    this.#openMax = openMax;
  }

  get size(): number {
    return this.#kept.size + this.#busy.size;
  }

  /** Whether a device is in somebody's hands: whoever asks for it now waits. */
  isBusy(station: Station): boolean {
    return this.#busy.has(station);
  }

  async use<T>(station: Station, act: (edge: EdgeHandle) => Promise<T>): Promise<T> {
    while (this.#busy.has(station)) await this.#busy.get(station);
    let free = (): void => {};
    this.#busy.set(station, new Promise((resolve) => (free = resolve)));
    try {
      const edge = this.#kept.get(station) ?? (await this.#open(station));
      this.#kept.delete(station);
      try {
        return await act(edge);
      } finally {
        this.#kept.set(station, edge);
      }
    } finally {
      this.#busy.delete(station);
      free();
      await this.#shrink(this.#openMax);
    }
  }

  /** Release every device that is in nobody's hands. */
  async close(): Promise<void> {
    await Promise.all(this.#busy.values());
    await this.#shrink(0);
  }

  async #shrink(keep: number): Promise<void> {
    while (this.#kept.size > keep) {
      const [station, edge] = this.#kept.entries().next().value!;
      this.#kept.delete(station);
      await edge.release();
    }
  }
}
