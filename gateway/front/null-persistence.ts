import { Readable } from 'node:stream';

const nothing: Promise<void> = Promise.resolve();
const none = (): Promise<void> => nothing;
const empty = (): Readable => new Readable({ read: endAtOnce });

function endAtOnce(this: Readable): void {
  this.push(null);
}

/**
 * What the broker library keeps sessions, wills, retained and queued messages in: here, nothing. The front cannot
 * retain a reading because there is no place for it, not because nobody asks. Only what a clean session without
 * will, retain and QoS 2 calls is here; whatever else would be called fails loudly instead of keeping something.
 */
export const nullPersistence = {
  setup: async (): Promise<void> => nothing,
  cleanSubscriptions: none,
  cleanIncoming: none,
  delWill: none,
  outgoingClearMessageId: none,
  outgoingStream: empty,
  createRetainedStreamCombi: empty,
  streamWill: empty,
};

type Done = () => void;

/** The library's fan-out, without one: no message here is for a subscriber, so a frozen one can hold nobody up. */
export const nullEmitter = {
  on: (_topic: string, _listener: unknown, done?: Done): void => done?.(),
  removeListener: (_topic: string, _listener: unknown, done?: Done): void => done?.(),
  emit: (_packet: unknown, done?: Done): void => done?.(),
  close: (done?: Done): void => done?.(),
};
