import type { CounterSnapshot, Counters } from './counters.ts';

/** What a child process tells the process that started it, over the IPC channel of node:child_process. */
export type ChildMessage =
  | { readonly type: 'ready'; readonly details: ReadyDetails }
  | { readonly type: 'counters'; readonly counters: CounterSnapshot; readonly gauges: CounterSnapshot }
  | { readonly type: 'notice'; readonly notice: unknown }
  | { readonly type: 'failed'; readonly code: string; readonly message: string };

/** What a process says of itself when it is up, such as the port that it was given. */
export type ReadyDetails = Readonly<Record<string, string | number | boolean>>;

/** The message, or undefined for anything else: a child under attack must not be able to confuse its parent. */
export function readChildMessage(message: unknown): ChildMessage | undefined {
  if (typeof message !== 'object' || message === null || !('type' in message)) return undefined;
  const fields = message as Record<string, unknown>;
  if (fields['type'] === 'ready' && isFlat(fields['details'])) return message as ChildMessage;
  if (fields['type'] === 'notice') return { type: 'notice', notice: fields['notice'] };
  if (
    fields['type'] === 'counters' &&
    isFlat(fields['counters'], 'number') &&
    isFlat(fields['gauges'], 'number')
  )
    return message as ChildMessage;
  if (
    fields['type'] === 'failed' &&
    typeof fields['code'] === 'string' &&
    typeof fields['message'] === 'string'
  )
    return message as ChildMessage;
  return undefined;
}

function isFlat(value: unknown, only?: 'number'): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every((entry) =>
    only === undefined ? ['string', 'number', 'boolean'].includes(typeof entry) : typeof entry === only,
  );
}

/** The counters as they are sent: apart, so that counts can be added up over restarts. */
export function countersMessage(counters: Counters): ChildMessage {
  return { type: 'counters', counters: counters.counts(), gauges: counters.gauges() };
}

/** Tell the parent, where there is one; resolves when the message is on its way, or can no longer be. */
export function tellParent(message: ChildMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });
}

export function hasParent(): boolean {
  return process.send !== undefined;
}
