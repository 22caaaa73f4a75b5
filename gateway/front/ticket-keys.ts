import type { Log } from '../runtime/log.ts';
import type { FrontLimits } from './limits.ts';
import { drawTicketKeys, loadTicketKeys } from './trust-files.ts';

export interface TicketKeysOptions {
  /** Shared by all fronts behind one address, where it is named. */
  readonly file: string | undefined;
  readonly inForce: Buffer;
  readonly listener: { setTicketKeys(keys: Buffer): void };
  readonly log: Log;
}

/**
 * Puts new keys of session tickets in force: those of the shared file whenever it holds others, so that whoever rotates
 * it rotates them on every front within a poll; else keys that are drawn here.
 */
export class TicketKeys {
  readonly #options: TicketKeysOptions;
  #inForce: Buffer;

  constructor(options: TicketKeysOptions) {
    this.#options = options;
    this.#inForce = options.inForce;
  }

  everyMs({ revocationPollMs, ticketKeysSeconds }: FrontLimits): number {
    return this.#options.file === undefined ? ticketKeysSeconds * 1_000 : revocationPollMs;
  }

  async renew(): Promise<void> {
    const { file, listener, log } = this.#options;
    try {
      const keys = file === undefined ? drawTicketKeys() : await loadTicketKeys(file);
      if (keys.equals(this.#inForce)) return;
      listener.setTicketKeys(keys);
      this.#inForce = keys;
    } catch (error) {
      log.error({ err: error }, 'the ticket keys could not be renewed; those in force stay');
    }
  }
}
