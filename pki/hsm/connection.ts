import { isHesError } from '../../protocol/errors.ts';
import type { Gate } from './gate.ts';
import { loadModule, type Pkcs11Module } from './module.ts';
import { OPERATIONS, type TokenRequest } from './operations.ts';
import { type TokenPlace, TokenSession } from './session.ts';

/** After a failed try to reach the token the next is made this much later, and each time twice as late. */
const RETRY_BASE_MS = 250;
const RETRY_MAX_MS = 10_000;

export interface ConnectionOptions {
  readonly place: TokenPlace;
  readonly gate: Gate;
  readonly monotonicMs: () => number;
  readonly load?: (path: string) => Pkcs11Module;
}

/** One thread's session with a token: opened when it is needed, and again after the token was away. */
export class TokenConnection {
  readonly #options: ConnectionOptions;
  readonly #tried: { pin?: string } = {};
  #module: Pkcs11Module | undefined;
  #session: { readonly open: TokenSession; readonly generation: number } | undefined;
  #wasLost = false;
  #failure: { readonly error: unknown; readonly untilMs: number; readonly pauseMs: number } | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** @throws ERR_HSM_*; while the token is away, the error of the last try, at once */
  run(request: TokenRequest): Uint8Array<ArrayBuffer> {
    try {
      return this.#once(request);
    } catch (error) {
      if (!isHesError(error, 'ERR_HSM_LOST')) throw error;
      const had = this.#session !== undefined;
      this.#drop();
      // A session that was good a moment ago: the token may be there again, and nobody need notice.
      if (!had) throw error;
      return this.#once(request);
    }
  }

  #once(request: TokenRequest): Uint8Array<ArrayBuffer> {
    const { gate } = this.#options;
    if (this.#wasLost && this.#due) this.#beginAnew();
    return gate.inside(() => perform(this.#opened(), request));
  }

  get #due(): boolean {
    return this.#failure === undefined || this.#options.monotonicMs() >= this.#failure.untilMs;
  }

  #opened(): TokenSession {
    const { gate, place, monotonicMs, load = loadModule } = this.#options;
    if (this.#session !== undefined && this.#session.generation !== gate.generation)
      this.#session = undefined;
    if (this.#session !== undefined) return this.#session.open;
    if (!this.#due) throw this.#failure!.error;
    try {
      this.#module ??= load(place.module);
      const open = TokenSession.open(this.#module, place, this.#tried);
      this.#session = { open, generation: gate.generation };
      this.#failure = undefined;
      this.#wasLost = false;
      return open;
    } catch (error) {
      const pauseMs = Math.min(RETRY_MAX_MS, 2 * (this.#failure?.pauseMs ?? RETRY_BASE_MS / 2));
      this.#failure = { error, pauseMs, untilMs: monotonicMs() + pauseMs };
      this.#wasLost = true;
      throw error;
    }
  }

  #beginAnew(): void {
    const module = this.#module;
    if (module === undefined) return;
    this.#options.gate.ifEmpty(() => {
      try {
        module.call('C_Finalize', [0n]);
      } catch {
        // It was not begun, which is where this leads.
      }
    });
  }

  #drop(): void {
    this.#session?.open.close();
    this.#session = undefined;
    this.#wasLost = true;
  }
}

function perform(session: TokenSession, request: TokenRequest): Uint8Array<ArrayBuffer> {
  switch (request.op) {
    case 'agree':
      return OPERATIONS.agree(session, request);
    case 'sign':
      return OPERATIONS.sign(session, request);
    case 'make':
      return OPERATIONS.make(session, request);
    case 'destroy':
      return OPERATIONS.destroy(session, request);
  }
}
