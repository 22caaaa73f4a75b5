import { type DeskAnswer, type DeskRefusal, decodeDeskAnswer } from '../../protocol/downlink.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import type { RefusalCode, Verdict } from '../../protocol/receipt.ts';
import type { TenantBus } from '../bus/port.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Random } from '../runtime/random.ts';
import type { RouterConfig } from './config.ts';
import { laterSeconds } from './later.ts';

/** What a router hands to the desk of its tenant, as the device signed it. */
export type DeskSubject = 'desk.outcome' | 'desk.report';

/** What becomes of it, as the device is told. Never rejects: a desk that is away is told of later. */
export type DeskLine = (subject: DeskSubject, device: DeviceId, signed: Uint8Array) => Promise<Verdict>;

/** The desk's words for a device. What it will never take, the device need not send again. */
const REFUSALS: Readonly<Record<DeskRefusal, RefusalCode>> = {
  signature: 'signature',
  schema: 'schema',
  identity: 'identity',
  revoked: 'revoked',
  command: 'desk',
};

export function createDeskLine(parts: {
  readonly bus: TenantBus;
  readonly config: RouterConfig['desk'];
  readonly counters: Counters;
  readonly random: Random;
}): DeskLine {
  const { bus, config, counters, random } = parts;
  const ask = async (subject: DeskSubject, device: DeviceId, body: Uint8Array): Promise<DeskAnswer> => {
    try {
      const request = { subject, device, body };
      return decodeDeskAnswer(await bus.request(request, { deadlineMs: config.answerWithinMs }));
    } catch (error) {
      counters.count(`desk.${(isHesError(error) ? REASONS[error.code] : undefined) ?? 'failed'}`);
      return { kind: 'later' };
    }
  };
  return async (subject, device, signed) => {
    const answer = await ask(subject, device, signed);
    switch (answer.kind) {
      case 'taken':
        return { verdict: 'delivered' };
      case 'refused':
        return { verdict: 'refused', code: REFUSALS[answer.code] };
      case 'later':
        return { verdict: 'later', seconds: laterSeconds(config.later, random) };
    }
  };
}

/** Why a desk did not answer; a counter each. */
const REASONS: Readonly<Record<string, string>> = {
  ERR_BUS_NO_RESPONDERS: 'away',
  ERR_BUS_TIMEOUT: 'timeout',
  ERR_BUS_OVERLOADED: 'overloaded',
  ERR_BUS_DISCONNECTED: 'disconnected',
  ERR_BUS_HANDLER: 'handler',
  ERR_BUS_CLOSED: 'closed',
  ERR_DOWNLINK: 'answer',
};
