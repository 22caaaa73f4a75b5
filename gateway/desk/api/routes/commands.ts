import { z } from 'zod';
import { ROLES, type Role } from '../../../../protocol/command/roles.ts';
import { COMMAND_TYPES, rowOf } from '../../../../protocol/command/table.ts';
import { inOrder } from '../bulk.ts';
import { LINES_IN_HAND_MAX } from '../limits.ts';
import { faultOf } from '../problems.ts';
import { EVERYBODY, type Route, route } from '../route.ts';
import {
  commandId,
  commandType,
  cursor,
  deviceId,
  limit,
  pageOf,
  personName,
  reason,
  signedBytes,
} from '../shapes.ts';
import { commandView, state, viewOfCommand } from '../views.ts';

/** Commands: proposed and approved as signed bytes, and what became of them. */

const signsSomewhere = (place: 'propose' | 'approve', role: Role): boolean =>
  COMMAND_TYPES.some((type) => rowOf(type)[place].includes(role));
const ALL = Object.keys(ROLES) as Role[];
/** Whoever may give a first signature to any command; to which, the command's row says. */
const PROPOSERS = ALL.filter((role) => signsSomewhere('propose', role));
const APPROVERS = ALL.filter((role) => signsSomewhere('approve', role));
const SIGNERS = ALL.filter((role) => PROPOSERS.includes(role) || APPROVERS.includes(role));

const proposal = z.strictObject({ device: deviceId, signed: signedBytes });
const params = z.strictObject({ id: commandId });
const why = z.strictObject({ reason: reason.optional() });

const shown = commandView.extend({
  /** What was signed: the arguments are those of the command table. */
  command: z.strictObject({
    type: commandType,
    arguments: z.record(z.string(), z.json()),
    counter: z.int(),
    notBefore: z.int(),
    expiry: z.int(),
    reason: z.string().nullable(),
  }),
  /** COSE_Sign with the signatures that it has, base64: what an approver adds his to. */
  signed: z.string(),
});

const outcomeOfLine = z.union([
  z.strictObject({ id: commandId, state }),
  z.strictObject({ code: z.string(), detail: z.string() }),
]);

export const COMMAND_ROUTES: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v1/commands',
    roles: PROPOSERS,
    summary: 'Propose a command: its first signature, or its only one',
    body: proposal,
    answer: { status: 201, json: commandView },
    handle: async ({ desk }, { body }) => viewOfCommand(await desk.propose(body)),
  }),
  route({
    method: 'POST',
    path: '/v1/commands/bulk',
    roles: PROPOSERS,
    summary: 'Propose many: a line of the answer for each line, in their order, while they come',
    lines: proposal,
    answer: { status: 200, lines: outcomeOfLine },
    async handle({ desk }, { lines }) {
      return inOrder(lines, LINES_IN_HAND_MAX, async (line) => {
        if ('code' in line) return { code: line.code, detail: line.detail };
        try {
          const { id, state } = await desk.propose(line.value);
          return { id, state };
        } catch (error) {
          return faultOf(error);
        }
      });
    },
  }),
  route({
    method: 'GET',
    path: '/v1/commands',
    roles: EVERYBODY,
    summary: 'Commands, the newest first',
    query: z.strictObject({
      device: deviceId.optional(),
      state: state.optional(),
      type: commandType.optional(),
      person: personName.optional(),
      before: cursor.optional(),
      limit,
    }),
    answer: { status: 200, json: pageOf(commandView) },
    async handle({ desk }, { query: { before, limit, ...asked } }) {
      const filter = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
      const page = await desk.list({ filter, ...(before === undefined ? {} : { before }), limit });
      return { items: page.items.map(viewOfCommand), next: page.next };
    },
  }),
  route({
    method: 'GET',
    path: '/v1/commands/{id}',
    roles: EVERYBODY,
    summary: 'One command, with what was signed',
    params,
    answer: { status: 200, json: shown },
    async handle({ desk }, { params: { id } }) {
      const { stored, command, signed } = await desk.show(id);
      const { type, counter, notBefore, expiry, reason } = command;
      const args = command.arguments as unknown as Record<string, z.core.util.JSONType>;
      return {
        ...viewOfCommand(stored),
        command: { type, arguments: args, counter, notBefore, expiry, reason },
        signed: Buffer.from(signed).toString('base64'),
      };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/commands/{id}/approval',
    roles: APPROVERS,
    summary: 'The second signature, over the same bytes',
    params,
    body: z.strictObject({ signed: signedBytes }),
    answer: { status: 200, json: commandView },
    handle: async ({ desk }, { params: { id }, body: { signed } }) =>
      viewOfCommand(await desk.approve({ id, signed })),
  }),
  route({
    method: 'POST',
    path: '/v1/commands/{id}/cancel',
    roles: SIGNERS,
    summary: 'Stop a command that was not sent yet',
    params,
    body: why,
    answer: { status: 200, json: commandView },
    handle: async ({ desk }, { params: { id }, body, caller }) =>
      viewOfCommand(await desk.cancel({ id, by: caller, ...asGiven(body) })),
  }),
  route({
    method: 'POST',
    path: '/v1/commands/{id}/release',
    roles: APPROVERS,
    summary: 'Let a command go on that was held above a threshold',
    params,
    body: why,
    answer: { status: 200, json: commandView },
    handle: async ({ desk }, { params: { id }, body, caller }) =>
      viewOfCommand(await desk.release({ id, by: caller, ...asGiven(body) })),
  }),
];

const asGiven = ({ reason }: z.output<typeof why>): { readonly reason?: string } =>
  reason === undefined ? {} : { reason };
