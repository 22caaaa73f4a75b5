import { z } from 'zod';
import { fromRow } from '../../audit/export.ts';
import { USAGE_KINDS, type UsageKind } from '../../audit/usage.ts';
import { EVERYBODY, PEOPLE, type Route, route } from '../route.ts';
import { commandType, cursor, limit, pageOf, role } from '../shapes.ts';

/** Who is asking, who did what, and how much the desk is used. */

const auditRow = z.strictObject({
  tenant: z.string(),
  n: z.int(),
  at: z.iso.datetime(),
  atMs: z.int(),
  event: z.string(),
  actor: z.strictObject({ kind: z.string(), name: z.string().nullable(), role: role.nullable() }),
  device: z.string().nullable(),
  command: z.string().nullable(),
  type: commandType.nullable(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  code: z.string().nullable(),
  reason: z.string().nullable(),
  digest: z.string().nullable(),
  previous: z.string(),
  hash: z.string(),
});

const usage = z.strictObject({
  kind: z.enum(USAGE_KINDS as [UsageKind, ...UsageKind[]]),
  period: z.string(),
  event: z.string(),
  type: commandType.nullable(),
  role: role.nullable(),
  count: z.int(),
});

export const OFFICE_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/me',
    roles: EVERYBODY,
    summary: 'Whom the desk takes you for',
    answer: { status: 200, json: z.strictObject({ tenant: z.string(), role, person: z.string() }) },
    handle: async ({ tenant }, { caller: { role, person } }) => ({ tenant, role, person }),
  }),
  route({
    method: 'GET',
    path: '/v1/audit',
    // A trace that only some may read is one that others can bend. Systems have no use for it.
    roles: PEOPLE,
    summary: 'The audit, the oldest first, each row chained to the one before',
    query: z.strictObject({ after: cursor.optional(), limit }),
    answer: {
      status: 200,
      json: pageOf(auditRow).extend({ head: z.strictObject({ n: z.int(), hash: z.string() }) }),
    },
    async handle({ store }, { query: { after = 0, limit } }) {
      // The head first: rows that come in between are beyond it, and a reader sees no head that he cannot reach.
      const { n, hash } = await store.auditHead();
      const rows = await store.auditRows({ after, limit });
      const last = rows.at(-1)?.n ?? n;
      return { items: rows.map(fromRow), next: last < n ? last : null, head: { n, hash } };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/usage',
    roles: PEOPLE,
    summary: 'How much the desk is used, in counts that name nobody',
    query: z.strictObject({ kind: z.enum(USAGE_KINDS as [UsageKind, ...UsageKind[]]).default('day') }),
    answer: { status: 200, json: z.strictObject({ items: z.array(usage) }) },
    handle: async ({ store }, { query: { kind } }) => ({ items: [...(await store.usage(kind))] }),
  }),
];
