import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import { busError } from '../errors.ts';
import type { BusHandler, BusSubject } from '../port.ts';
import type { LocalBusLimits } from './limits.ts';
import type { Settle } from './pending.ts';

/** A handler that fails for every request must not fill the log: one line in this time, with a count. */
const FAILURE_LOG_EVERY_MS = 1_000;

export interface HandledRequest {
  readonly subject: BusSubject;
  readonly device: DeviceId;
  readonly body: Uint8Array;
}

interface Served {
  readonly handler: BusHandler;
  running: number;
  whenIdle: (() => void) | undefined;
}

/** What one side of the bus serves, and how much of it runs at the moment. */
export class Handlers {
  readonly #served = new Map<BusSubject, Served>();
  readonly #limits: LocalBusLimits;
  readonly #log: Log;
  readonly #counters: Counters;
  #running = 0;
  #failuresUnlogged = 0;
  #failureLoggedMs = Number.NEGATIVE_INFINITY;

  constructor(limits: LocalBusLimits, log: Log, counters: Counters) {
    this.#limits = limits;
    this.#log = log;
    this.#counters = counters;
  }

  get subjects(): BusSubject[] {
    return [...this.#served.keys()];
  }

  /** @throws ERR_BUS_SERVED */
  add(subject: BusSubject, handler: BusHandler): void {
    if (this.#served.has(subject)) throw busError('ERR_BUS_SERVED', undefined, { context: { subject } });
    this.#served.set(subject, { handler, running: 0, whenIdle: undefined });
  }

  /** Take no more of the subject; resolves when what runs has ended, or the time for it has passed. */
  async remove(subject: BusSubject): Promise<void> {
    const served = this.#served.get(subject);
    this.#served.delete(subject);
    if (served === undefined || served.running === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#log.warn({ subject, running: served.running }, 'requests were still running at the end');
        resolve();
      }, this.#limits.drainMs);
      served.whenIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Run the handler; `settle` hears exactly once how it ended. */
  run(request: HandledRequest, settle: Settle): void {
    const served = this.#served.get(request.subject);
    if (served === undefined) settle('ERR_BUS_NO_RESPONDERS');
    else if (this.#running >= this.#limits.handlersMax) settle('ERR_BUS_OVERLOADED');
    else this.#start(served, request, settle);
  }

  #start(served: Served, request: HandledRequest, settle: Settle): void {
    this.#running++;
    served.running++;
    const ended = (): void => {
      this.#running--;
      served.running--;
      if (served.running === 0) served.whenIdle?.();
    };
    this.#call(served.handler, request).then(
      (body) => {
        if (body instanceof Uint8Array && body.length <= this.#limits.bodyBytesMax) settle(body);
        else
          this.#failed(
            request,
            busError('ERR_BUS_OVERSIZE', 'the answer is no body that the bus carries'),
            settle,
          );
        ended();
      },
      (error: unknown) => {
        this.#failed(request, error, settle);
        ended();
      },
    );
  }

  #call(handler: BusHandler, { subject, device, body }: HandledRequest): Promise<Uint8Array> {
    try {
      return Promise.resolve(handler({ subject, device, body }));
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  #failed({ subject, device }: HandledRequest, error: unknown, settle: Settle): void {
    this.#counters.count('bus.handlerFailed');
    settle('ERR_BUS_HANDLER');
    this.#failuresUnlogged++;
    const nowMs = performance.now();
    if (nowMs - this.#failureLoggedMs < FAILURE_LOG_EVERY_MS) return;
    this.#log.error(
      { subject, device, failures: this.#failuresUnlogged, ...nameOf(error) },
      'a handler failed',
    );
    this.#failureLoggedMs = nowMs;
    this.#failuresUnlogged = 0;
  }
}

/** Code, name and place of an error. Not its message: what a handler works on is a reading, and libraries quote their input. */
function nameOf(error: unknown): { error: string; at?: string } {
  if (isHesError(error)) return { error: error.code };
  if (!(error instanceof Error)) return { error: typeof error };
  const at = /\n\s+at (.+)/.exec(error.stack ?? '')?.[1];
  return at === undefined ? { error: error.name } : { error: error.name, at };
}
