import {
  type DeskAnswer,
  type DeskRefusal,
  decodeAwake,
  encodeDeskAnswer,
} from '../../../protocol/downlink.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { BusRequest, BusSubject, TenantBus } from '../../bus/port.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Desk } from '../desk.ts';
import type { Dispatcher } from './dispatcher.ts';

/** What front and router tell a desk: who is awake, what became of a command, what changed at a meter. */

export interface SignalOptions {
  readonly bus: TenantBus;
  readonly desk: Pick<Desk, 'outcome' | 'report' | 'seen'>;
  readonly dispatcher: Pick<Dispatcher, 'awake' | 'answered'>;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly log: Log;
}

/** Beyond it a device is told `later`; each has a few KiB. */
const HELD_MAX = 2_000;

/** What a desk will never take, by the code that says why; everything else may go later. */
const REFUSALS: readonly (readonly [prefix: string, code: DeskRefusal])[] = [
  ['ERR_DESK_COMMAND', 'command'],
  ['ERR_DESK_METER', 'identity'],
  ['ERR_TRUST_REVOKED', 'revoked'],
  ['ERR_TRUST_SIGNATURE', 'signature'],
  ['ERR_TRUST_MALFORMED', 'identity'],
  ['ERR_TRUST_ISSUER', 'identity'],
  ['ERR_TRUST_PROFILE', 'identity'],
  ['ERR_TRUST_IDENTITY', 'identity'],
  ['ERR_TRUST_SERIAL', 'identity'],
  ['ERR_TRUST_TENANT', 'identity'],
  ['ERR_TRUST_DEVICE', 'identity'],
  ['ERR_ENVELOPE_SIGNATURE', 'signature'],
  ['ERR_ENVELOPE_', 'schema'],
  ['ERR_COSE_', 'schema'],
  ['ERR_CBOR_', 'schema'],
  ['ERR_RESULT_', 'schema'],
  ['ERR_REPORT_', 'schema'],
];

export function answerOfError(error: unknown): DeskAnswer | undefined {
  if (!isHesError(error)) return undefined;
  const found = REFUSALS.find(([prefix]) => error.code.startsWith(prefix));
  return found === undefined ? undefined : { kind: 'refused', code: found[1] };
}

const TAKEN: DeskAnswer = { kind: 'taken' };
const LATER: DeskAnswer = { kind: 'later' };

/** @returns what stops serving, and lets what runs end */
export async function serveSignals(options: SignalOptions): Promise<() => Promise<void>> {
  const { bus, desk, dispatcher, clock, counters, log } = options;
  let held = 0;

  function seen(device: DeviceId): void {
    desk.seen(device, clock.nowMs()).catch((error: unknown) => {
      log.warn({ err: error, device }, 'when a meter was seen last could not be kept');
    });
  }

  const handlers: Readonly<Partial<Record<BusSubject, (request: BusRequest) => Promise<void>>>> = {
    async 'desk.awake'({ device, body }) {
      // Whose device it is, the registry says; a front of another version is found out here.
      decodeAwake(body);
      seen(device);
      await dispatcher.awake(device);
    },
    async 'desk.outcome'({ device, body }) {
      await desk.outcome({ device, signed: Uint8Array.from(body) });
      seen(device);
      await dispatcher.answered(device);
    },
    async 'desk.report'({ device, body }) {
      await desk.report({ device, signed: body });
      seen(device);
    },
  };

  async function answer(request: BusRequest, handle: (request: BusRequest) => Promise<void>) {
    const { subject, device } = request;
    if (held >= HELD_MAX) {
      counters.count(`${subject}.shed`);
      return LATER;
    }
    held++;
    try {
      await handle(request);
      counters.count(`${subject}.taken`);
      return TAKEN;
    } catch (error) {
      const refused = answerOfError(error);
      counters.count(`${subject}.${refused === undefined ? 'later' : 'refused'}`);
      const level = refused === undefined ? 'error' : 'warn';
      log[level]({ err: error, device, subject }, 'what a device said was not taken');
      return refused ?? LATER;
    } finally {
      held--;
    }
  }

  const serving = await Promise.all(
    Object.entries(handlers).map(([subject, handle]) =>
      bus.serve(subject as BusSubject, async (request) => encodeDeskAnswer(await answer(request, handle))),
    ),
  );
  return async () => {
    await Promise.all(serving.map((subject) => subject.stop()));
  };
}
