const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The wish to end, by Ctrl-C or from outside. A second Ctrl-C changes nothing: the stop is bounded in time anyway. */
export class Interrupt {
  readonly happened: Promise<void>;
  readonly #controller = new AbortController();
  readonly #listener = (): void => this.#controller.abort();

  constructor() {
    this.happened = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const name of SIGNALS) process.on(name, this.#listener);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  release(): void {
    for (const name of SIGNALS) process.off(name, this.#listener);
  }
}
