import { z } from 'zod';
import { deskError } from '../../errors.ts';
import { IDENTIFY_PER_MINUTE } from '../limits.ts';
import { PersonalRate } from '../rate.ts';
import { EVERYBODY, type Route, route } from '../route.ts';
import { deviceId, ean, flag, limit, pageOf } from '../shapes.ts';
import { creditMode, meterView, viewOfMeter } from '../views.ts';

/** Meters: their state, as commands and reports have left it. */

const params = z.strictObject({ device: deviceId });

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
        return { items: items.map(viewOfMeter), next };
      },
    }),
    route({
      method: 'GET',
      path: '/v1/meters/{device}',
      roles: EVERYBODY,
      summary: 'One meter',
      params,
      answer: { status: 200, json: meterView },
      async handle({ store }, { params: { device } }) {
        const meter = await store.meter(device);
        if (meter === undefined) throw deskError('ERR_DESK_METER', 'the registry has no such meter');
        return viewOfMeter(meter);
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
