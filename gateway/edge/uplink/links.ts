import type { HesError } from '../../../protocol/errors.ts';
import { Exchange, type ExchangeOptions } from './exchange.ts';

/** Connections made, and how many of them resumed a TLS session. */
export interface LinkCount {
  connections: number;
  resumed: number;
}

/**
 * The one connection of a device at a time, for whoever has something to send over it. It may outlast a wake; where
 * it is over and somebody needs one, there is another.
 */
export class Links {
  readonly #opened: (exchange: Exchange) => void;
  #current: Exchange | undefined;
  #opening: Promise<Exchange> | undefined;
  #closing = false;
  readonly #lost: () => void;

  /** @param opened told of each new connection; @param lost told where one is over that nobody here closed */
  constructor(opened: (exchange: Exchange) => void, lost: () => void) {
    this.#opened = opened;
    this.#lost = lost;
  }

  /** The connection that stands, or undefined. */
  get current(): Exchange | undefined {
    return this.#current?.failure === undefined ? this.#current : undefined;
  }

  /** What stands, or a new one; whoever asks meanwhile gets the same. @throws ERR_UPLINK_* */
  async take(options: () => ExchangeOptions, count: LinkCount): Promise<Exchange> {
    const { current } = this;
    if (current !== undefined) return current;
    this.#opening ??= this.#open(options(), count);
    const opening = this.#opening;
    try {
      return await opening;
    } finally {
      if (this.#opening === opening) this.#opening = undefined;
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#current?.close();
    this.#current = undefined;
    this.#closing = false;
  }

  async #open(options: ExchangeOptions, count: LinkCount): Promise<Exchange> {
    const exchange = await Exchange.open(options);
    this.#current = exchange;
    count.connections++;
    if (exchange.resumed) count.resumed++;
    exchange.onClose(() => {
      if (!this.#closing) this.#lost();
    });
    this.#opened(exchange);
    return exchange;
  }
}

export type Connect = () => Promise<Exchange>;

/** A wake that could not connect does not try again for the next owner: there is no connection to be had. */
export function onceFailed(connect: Connect, asError: (error: unknown) => HesError): Connect {
  let failure: HesError | undefined;
  return async () => {
    if (failure !== undefined) throw failure;
    try {
      return await connect();
    } catch (error) {
      failure = asError(error);
      throw failure;
    }
  };
}
