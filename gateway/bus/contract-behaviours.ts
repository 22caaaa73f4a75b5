import { setTimeout as delay } from 'node:timers/promises';
import type { BusHandler } from './port.ts';

/** What the contract's responders do, by name, so that they can also run in a process of their own. */
export type Behaviour = 'echo' | 'name' | 'fail' | 'throw' | 'hang' | 'slow' | 'wait' | 'giant';

export interface BehaviourOptions {
  /** Unlike every other responder's. */
  readonly name: string;
  readonly bodyBytesMax: number;
}

/** A handler failure's own words, which must not cross the bus. */
export const SECRET_REASON = 'the index of 541448820000000012 is 4711';

export const SLOW_MS = 150;

export const BEHAVIOURS: Readonly<Record<Behaviour, (options: BehaviourOptions) => BusHandler>> = {
  echo: () => async (request) => request.body,
  name:
    ({ name }) =>
    async () =>
      Buffer.from(name),
  fail: () => async () => {
    await delay(1);
    throw new Error(SECRET_REASON);
  },
  throw: () => () => {
    throw new Error(SECRET_REASON);
  },
  hang: () => () => new Promise(() => undefined),
  slow: () => async (request) => {
    await delay(SLOW_MS);
    return request.body;
  },
  /** Answers with the body after as many milliseconds as its first byte says. */
  wait: () => async (request) => {
    await delay(request.body[0] ?? 0);
    return request.body;
  },
  giant:
    ({ bodyBytesMax }) =>
    async () =>
      new Uint8Array(bodyBytesMax + 1),
};
