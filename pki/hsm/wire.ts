import type { MessagePort } from 'node:worker_threads';
import { HesError } from '../../protocol/errors.ts';
import type { TokenRequest } from './operations.ts';
import type { TokenPlace } from './session.ts';

/** Between the threads: requests to a worker that holds a session, and its answers. */
export interface WorkerStart {
  readonly place: TokenPlace;
  /** gate.ts: shared by all workers of one module. */
  readonly gate: SharedArrayBuffer;
  /** One word, raised and notified with each answer, for whoever waits without an event loop. */
  readonly answered: SharedArrayBuffer;
  readonly port: MessagePort;
}

export interface WorkerRequest {
  readonly number: number;
  readonly request: TokenRequest;
}

export type WorkerAnswer =
  | { readonly number: number; readonly value: Uint8Array<ArrayBuffer> }
  | { readonly number: number; readonly error: WorkerError };

/** An error keeps its code across threads, not its class. */
export interface WorkerError {
  readonly code: string;
  readonly message: string;
  readonly context: Readonly<Record<string, string | number | boolean>>;
}

export function writeError(error: unknown): WorkerError {
  if (error instanceof HesError) {
    const { cause } = error;
    const because = cause instanceof Error ? `: ${cause.message}` : '';
    const context = Object.entries(error.context).filter(([, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value),
    );
    return {
      code: error.code,
      message: error.message + because,
      context: Object.fromEntries(context) as WorkerError['context'],
    };
  }
  const said = error instanceof Error ? error.message : 'not an error';
  return { code: 'ERR_HSM_FAILED', message: `the module’s thread failed: ${said}`, context: {} };
}

export const readError = ({ code, message, context }: WorkerError): HesError =>
  new HesError(code, message, { context });
