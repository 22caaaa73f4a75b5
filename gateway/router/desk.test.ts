import { expect, it } from 'vitest';
import { encodeDeskAnswer } from '../../protocol/downlink.ts';
import { HesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { BusRequest, TenantBus } from '../bus/port.ts';
import { Counters } from '../runtime/counters.ts';
import { seededRandom } from '../runtime/random.ts';
import { createDeskLine } from './desk.ts';

const DEVICE = '0123456789abcdef' as DeviceId;
const SIGNED = Buffer.from('what a device signed');

function line(answer: (request: BusRequest) => Promise<Uint8Array>) {
  const counters = new Counters();
  const asked: { request: BusRequest; deadlineMs: number }[] = [];
  const bus = {
    tenant: 'ores' as TenantId,
    request: (request: BusRequest, { deadlineMs }: { deadlineMs: number }) => {
      asked.push({ request, deadlineMs });
      return answer(request);
    },
  } as unknown as TenantBus;
  const config = { answerWithinMs: 300, heldMax: 8, later: { minSeconds: 5, maxSeconds: 9 } };
  return { counters, asked, tell: createDeskLine({ bus, config, counters, random: seededRandom(1) }) };
}

it.each([
  ['away', new HesError('ERR_BUS_NO_RESPONDERS', '')],
  ['timeout', new HesError('ERR_BUS_TIMEOUT', '')],
  ['overloaded', new HesError('ERR_BUS_OVERLOADED', '')],
  ['disconnected', new HesError('ERR_BUS_DISCONNECTED', '')],
  ['handler', new HesError('ERR_BUS_HANDLER', '')],
  ['closed', new HesError('ERR_BUS_CLOSED', '')],
  ['failed', new Error('of another kind')],
])('tells the device to come later when the desk is not to be had: %s', async (reason, error) => {
  const { tell, counters } = line(() => Promise.reject(error));
  const verdict = await tell('desk.outcome', DEVICE, SIGNED);
  expect(verdict).toMatchObject({ verdict: 'later' });
  const { seconds } = verdict as { seconds: number };
  expect(seconds).toBeGreaterThanOrEqual(5);
  expect(seconds).toBeLessThanOrEqual(9);
  expect(counters.get(`desk.${reason}`)).toBe(1);
});

it.each([Buffer.alloc(0), Buffer.from('nonsense'), Buffer.from([0x82, 0x01, 0x63])])(
  'does not take rubbish for an answer (%#)',
  async (rubbish) => {
    const { tell, counters } = line(() => Promise.resolve(rubbish));
    expect(await tell('desk.outcome', DEVICE, SIGNED)).toMatchObject({ verdict: 'later' });
    expect(counters.get('desk.answer')).toBe(1);
  },
);

it.each([
  ['signature', 'signature'],
  ['schema', 'schema'],
  ['identity', 'identity'],
  ['revoked', 'revoked'],
  ['command', 'desk'],
] as const)('has the device park what the desk refuses as %s: %s', async (code, refusal) => {
  const { tell } = line(() => Promise.resolve(encodeDeskAnswer({ kind: 'refused', code })));
  expect(await tell('desk.report', DEVICE, SIGNED)).toEqual({ verdict: 'refused', code: refusal });
});

it('puts what the device signed to the desk as it is, with a deadline', async () => {
  const { tell, asked } = line(() => Promise.resolve(encodeDeskAnswer({ kind: 'taken' })));
  expect(await tell('desk.outcome', DEVICE, SIGNED)).toEqual({ verdict: 'delivered' });
  expect(asked).toEqual([
    { request: { subject: 'desk.outcome', device: DEVICE, body: SIGNED }, deadlineMs: 300 },
  ]);
});
