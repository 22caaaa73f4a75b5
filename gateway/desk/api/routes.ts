import { z } from 'zod';
import { describeApi } from './openapi.ts';
import { EVERYBODY, type Route, route } from './route.ts';
import { COMMAND_ROUTES } from './routes/commands.ts';
import { EVENT_ROUTES } from './routes/events.ts';
import { meterRoutes } from './routes/meters.ts';
import { OFFICE_ROUTES } from './routes/office.ts';

/** Every row of a desk's API, with those of others who add some, and the description of all of them. */
export function apiRoutes(tenant: string, others: readonly Route[] = []): readonly Route[] {
  let described: ReturnType<typeof describeApi> | undefined;
  const rows: readonly Route[] = [
    ...OFFICE_ROUTES,
    ...meterRoutes(),
    ...COMMAND_ROUTES,
    ...EVENT_ROUTES,
    ...others,
    route({
      method: 'GET',
      path: '/v1/openapi.json',
      roles: EVERYBODY,
      summary: 'This description',
      answer: { status: 200, json: z.record(z.string(), z.json()) },
      async handle() {
        described ??= describeApi(tenant, rows);
        return described as Record<string, z.core.util.JSONType>;
      },
    }),
  ];
  return rows;
}
