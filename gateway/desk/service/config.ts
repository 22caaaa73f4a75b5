import { z } from 'zod';
import { COMMAND_TYPES, type CommandType } from '../../../protocol/command/table.ts';
import { isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { between, type Frozen } from '../../runtime/config.ts';
import type { ProtectedPeriod } from '../guards/calendar.ts';
import { THRESHOLDS, type Thresholds } from '../guards/thresholds.ts';
import type { DeskPolicy } from '../policy.ts';

/** A path to a file. Keys and certificates are never in the configuration itself. */
const file = z.string().min(1).max(4_096);
const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');
const whole = (min: number, max: number) => z.int().min(min).max(max);
const DAY_SECONDS = 86_400;

const monthDay = z.string().regex(/^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/, 'MM-DD');
const periods = z
  .array(
    z.union([
      z.strictObject({ yearly: z.strictObject({ from: monthDay, to: monthDay }) }),
      z.strictObject({ once: z.strictObject({ from: z.iso.date(), to: z.iso.date() }) }),
    ]),
  )
  .max(64);

const threshold = z.strictObject({ person: whole(0, 1_000_000), system: whole(0, 1_000_000) });

/** What a tenant sets for itself; what is left out is the desk's own. */
const policy = z.strictObject({
  /** The non-disconnection calendar, in place of the region's usual one. */
  protectedPeriods: periods.optional(),
  /** Commands of one type an hour above which they are held, by person and by system. */
  thresholds: z
    .partialRecord(z.enum(COMMAND_TYPES as [CommandType, ...CommandType[]]), threshold)
    .default({}),
  answerWithinSeconds: whole(10, DAY_SECONDS).optional(),
  openPerDeviceMax: whole(1, 1_000).optional(),
});

/** One tenant's desk. It holds the key of its API, and no key that signs a command. */
export const deskConfig = z
  .strictObject({
    mode: z.enum(['production', 'development']).default('production'),
    tenant,
    /** The file of the store; it is made where there is none. Its folder is what the desk writes to. */
    database: file,
    listen: z.strictObject({
      host: z.string().min(1).max(255).default('127.0.0.1'),
      port: whole(0, 65_535),
    }),
    /** Of the API; the certificate is followed by its issuing CA's. */
    tls: z.strictObject({ certificate: file, key: file, passphraseFile: file.optional() }),
    /** Whose people sign and call. */
    office: z.strictObject({
      root: file,
      /** The tenant's own, several while one is rolled over. */
      issuing: z.array(file).min(1).max(8),
      revocations: z.array(file).max(8).default([]),
    }),
    /** Whose devices answer: this tenant's, and those of tenants whose devices carry a meter of it. */
    field: z.strictObject({
      root: file,
      issuers: z
        .array(z.strictObject({ tenant, certificate: file }))
        .min(1)
        .max(64),
      revocations: z.array(file).max(64).default([]),
      /** This tenant's word to its devices, which each command follows: without it nobody tells them who was revoked. */
      notice: file.optional(),
    }),
    /** How often issuing CAs, revocation lists and the notice are read again. */
    reloadSeconds: whole(1, DAY_SECONDS).default(60),
    /** How long after its next update a revocation list still counts; then its CA's certificates are refused. */
    crlGraceHours: whole(0, 720).default(0),
    /** Meters, a line of JSON each; read at the start and on SIGHUP. */
    registry: file.optional(),
    /** Whether meters that the file does not name any more are withdrawn: they get no command until it names them. */
    registryHas: z.enum(['all', 'some']).default('some'),
    policy: policy.prefault({}),
    dispatch: z
      .strictObject({
        /** Devices that are asked or written to at once. */
        atOnceMax: whole(1, 1_024).default(64),
        /** Commands that were written and not answered yet, over all devices: results come no faster than they are taken. */
        unansweredMax: whole(1, 10_000).default(256),
        /** How long the front may take to write; the router waits for a desk a little longer than this. */
        writtenWithinMs: whole(100, 10_000).default(2_500),
        /** Devices a second of the walk over all that wait. */
        walkPerSecond: whole(1, 500).default(200),
      })
      .prefault({}),
  })
  .superRefine(
    between(
      ['tenant', 'field.issuers'],
      ({ tenant, field }) => field.issuers.some((issuer) => issuer.tenant === tenant),
      'the issuing CA of the tenant’s own devices is missing',
    ),
  );

export type DeskConfig = Frozen<z.output<typeof deskConfig>>;

/** What the configuration says of the policy; what it leaves out stays the desk's. */
export function policyOfConfig({ policy }: Pick<DeskConfig, 'policy'>): Partial<DeskPolicy> {
  const { protectedPeriods, thresholds, answerWithinSeconds, openPerDeviceMax } = policy;
  return {
    thresholds: { ...THRESHOLDS, ...(thresholds as Partial<Thresholds>) },
    ...(protectedPeriods === undefined ? {} : { periods: protectedPeriods as readonly ProtectedPeriod[] }),
    ...(answerWithinSeconds === undefined ? {} : { answerWithinMs: answerWithinSeconds * 1_000 }),
    ...(openPerDeviceMax === undefined ? {} : { openPerDeviceMax }),
  };
}
