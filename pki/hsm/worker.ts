import { workerData } from 'node:worker_threads';
import { TokenConnection } from './connection.ts';
import { Gate } from './gate.ts';
import { type WorkerAnswer, type WorkerRequest, type WorkerStart, writeError } from './wire.ts';

/**
 * A thread that holds one session. The vendor's code runs here and nowhere else: however long it takes, the event
 * loop of the process goes on.
 */
const { place, gate, answered, port } = workerData as WorkerStart;
const word = new Int32Array(answered);
const connection = new TokenConnection({ place, gate: new Gate(gate), monotonicMs: () => performance.now() });

port.on('message', ({ number, request }: WorkerRequest) => {
  const answer = answerOf(number, request);
  // Moved, not copied: of a secret there is one.
  port.postMessage(answer, 'value' in answer ? [answer.value.buffer] : []);
  Atomics.add(word, 0, 1);
  Atomics.notify(word, 0);
});

function answerOf(number: number, request: WorkerRequest['request']): WorkerAnswer {
  try {
    return { number, value: connection.run(request) };
  } catch (error) {
    return { number, error: writeError(error) };
  }
}
