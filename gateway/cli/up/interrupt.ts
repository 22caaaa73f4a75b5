const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** How soon the end of the launcher is noticed. */
const LOOK_EVERY_MS = 500;

/**
 * The wish to end, by Ctrl-C or from outside. A second Ctrl-C changes nothing, up to the last line of the program:
 * the stop is bounded in time anyway, and what it tidies up is tidied up.
 *
 * Where `hes` was started by its launcher (bin.cjs, under a Node that is too old), that passes signals on. One that
 * was killed cannot: nobody would be left to end this, so its death is such a wish too.
 */
export class Interrupt {
  readonly happened: Promise<void>;
  readonly #controller = new AbortController();

  constructor() {
    this.happened = new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    for (const name of SIGNALS) process.on(name, () => this.#controller.abort());
    const launcher = process.ppid;
    if (process.env['HES_LAUNCHER'] !== String(launcher)) return;
    setInterval(() => {
      if (process.ppid !== launcher) this.#controller.abort();
    }, LOOK_EVERY_MS).unref();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }
}
