import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { hsmError } from './errors.ts';
import { newGate } from './gate.ts';
import type { TokenRequest } from './operations.ts';
import type { TokenPlace } from './session.ts';
import { readError, type WorkerAnswer, type WorkerRequest, type WorkerStart } from './wire.ts';

const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url);

/** By module: all its threads share one. */
const GATES = new Map<string, SharedArrayBuffer>();

function gateOf(module: string): SharedArrayBuffer {
  const gate = GATES.get(module) ?? newGate();
  GATES.set(module, gate);
  return gate;
}

/** A worker thread with one session. It keeps no process alive. */
export class TokenThread {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly #answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  #number = 0;

  /** @throws ERR_HSM_MODULE where this process may start no thread */
  constructor(place: TokenPlace) {
    const { port1, port2 } = new MessageChannel();
    const start: WorkerStart = {
      place,
      gate: gateOf(place.module),
      answered: this.#answered.buffer as SharedArrayBuffer,
      port: port2,
    };
    try {
      // No `execArgv`: a thread with flags of its own would leave the permission model of its process (Node 26.10).
      this.worker = new Worker(WORKER, { workerData: start, transferList: [port2] });
    } catch (cause) {
      throw hsmError(
        'ERR_HSM_MODULE',
        'this process may start no thread for a token: give it --allow-worker',
        {
          cause,
        },
      );
    }
    this.worker.unref();
    this.port = port1;
  }

  /** @returns the number that its answer will have */
  post(request: TokenRequest): number {
    const number = ++this.#number;
    this.port.postMessage({ number, request } satisfies WorkerRequest);
    return number;
  }

  /**
   * Ask and wait here, without the event loop (only where nobody listens to `port`).
   * @throws ERR_HSM_TIMEOUT, and what the thread answers
   */
  askNow(request: TokenRequest, withinMs: number): Uint8Array<ArrayBuffer> {
    const number = this.post(request);
    const endMs = performance.now() + withinMs;
    for (;;) {
      const seen = Atomics.load(this.#answered, 0);
      const answer = received(this.port);
      // What is older had been given up.
      if (answer?.number === number) return answered(answer);
      if (answer !== undefined) continue;
      const leftMs = endMs - performance.now();
      if (leftMs <= 0 || Atomics.wait(this.#answered, 0, seen, leftMs) === 'timed-out')
        throw hsmError('ERR_HSM_TIMEOUT', `the token did not answer within ${withinMs} ms`, {
          context: { op: request.op },
        });
    }
  }

  async end(): Promise<void> {
    this.port.close();
    await this.worker.terminate();
  }
}

/** @throws what the thread could not do */
export function answered(answer: WorkerAnswer): Uint8Array<ArrayBuffer> {
  if ('error' in answer) throw readError(answer.error);
  return answer.value;
}

const received = (port: MessagePort): WorkerAnswer | undefined =>
  (receiveMessageOnPort(port) as { readonly message: WorkerAnswer } | undefined)?.message;
