import { z } from 'zod';
import type { Role } from '../../../../protocol/command/roles.ts';
import { deskError } from '../../errors.ts';
import { meterLine, registrationOf } from '../../registry/line.ts';
import { inOrder } from '../bulk.ts';
import { IDENTIFY_PER_MINUTE, LINES_IN_HAND_MAX } from '../limits.ts';
import { faultOf } from '../problems.ts';
import { PersonalRate } from '../rate.ts';
import { EVERYBODY, type Route, route } from '../route.ts';
import { deviceId, ean, flag, limit, pageOf } from '../shapes.ts';
import { creditMode, meterView, showMeter, shownMeter, viewOfMeter } from '../views.ts';

/** Meters: their state, as commands and reports have left it. */

const params = z.strictObject({ device: deviceId });

/** The operator's own system knows its meters. People command them, and the EANs that they check come from elsewhere. */
const REGISTRARS = ['lopex'] as const satisfies readonly Role[];

const outcomeOfLine = z.union([
  z.strictObject({ device: deviceId }),
  z.strictObject({ code: z.string(), detail: z.string() }),
]);

export function meterRoutes(): readonly Route[] {
  const guesses = new PersonalRate(IDENTIFY_PER_MINUTE);
  return [
    route({
      method: 'GET',
      path: '/v1/meters',
      roles: EVERYBODY,
      summary: 'The meters of this tenant, in the order of their ids',
      query: z.strictObject({
        after: deviceId.optional(),
        limit,
        airplane: flag.optional(),
        creditMode: creditMode.optional(),
      }),
      answer: { status: 200, json: pageOf(meterView, deviceId.nullable()) },
      async handle({ store }, { query: { after, limit, airplane, creditMode } }) {
        const { items, next } = await store.meters({
          filter: {
            ...(airplane === undefined ? {} : { airplane }),
            ...(creditMode === undefined ? {} : { creditMode }),
          },
          ...(after === undefined ? {} : { after }),
          limit,
        });
        return { items: items.map((meter) => viewOfMeter(meter, store.tenant)), next };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/meters',
      roles: REGISTRARS,
      summary:
        'Enter meters, or what has changed of them: a line of the answer for each line, in their order',
      lines: meterLine,
      answer: { status: 200, lines: outcomeOfLine },
      async handle({ desk }, { lines, caller }) {
        return inOrder(lines, LINES_IN_HAND_MAX, async (line) => {
          if ('code' in line) return { code: line.code, detail: line.detail };
          try {
            const { device } = await desk.register(registrationOf(line.value), caller);
            return { device };
          } catch (error) {
            return faultOf(error);
          }
        });
      },
    }),
    route({
      method: 'GET',
      path: '/v1/meters/{device}',
      roles: EVERYBODY,
      summary: 'One meter',
      params,
      answer: { status: 200, json: shownMeter },
      async handle({ store }, { params: { device } }) {
        const meter = await store.meter(device);
        if (meter === undefined) throw deskError('ERR_DESK_METER', 'the registry has no such meter');
        return showMeter(meter, store.tenant);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/meters/{device}/identify',
      roles: EVERYBODY,
      summary: 'Whether an EAN is that of a meter behind the device; the desk never gives one out',
      params,
      body: z.strictObject({ ean }),
      answer: { status: 204 },
      async handle({ desk, clock }, { params: { device }, body: { ean }, caller }) {
        guesses.take(caller.person, clock.nowMs());
        if (!(await desk.identify(device, ean)))
          throw deskError('ERR_DESK_EAN', 'the EAN is none of a meter behind this device');
      },
    }),
  ];
}
