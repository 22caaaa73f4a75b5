import { z } from 'zod';
import { clockConfig } from '../gateway/runtime/clock-config.ts';
import { between, type Frozen } from '../gateway/runtime/config.ts';
import { isTenantId, type TenantId } from '../protocol/identity.ts';
import type { Medium } from '../protocol/reading.ts';
import { FLEET_METERS_MAX } from './fleet.ts';
import { SAMPLINGS } from './run/emulated-station.ts';

const tenantId = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');
const path = z.string().min(1).max(4_096);
const medium = z.enum(['electricity', 'gas', 'water', 'heat']) satisfies z.ZodType<Medium>;
const whole = (min: number, max: number) => z.int().min(min).max(max);

/** Instants in configuration: from 1970 to beyond any simulated day. */

const emulated = z.strictObject({
  kind: z.literal('emulated'),
  seed: whole(0, Number.MAX_SAFE_INTEGER).default(1),
  /** (device, owner) streams in all, split evenly over the tenants. */
  meters: whole(1, FLEET_METERS_MAX),
  /** Media of a tenant that is not of the consortium; electricity and gas where they are left out. */
  tenants: z
    .array(z.strictObject({ id: tenantId, media: z.array(medium).min(1).optional() }))
    .min(1)
    .max(1_000),
  sampling: z.enum(SAMPLINGS).default('quarter-hour'),
  /** For processes that share a fleet: this one runs devices `index`, `index + of`, … */
  slice: z
    .strictObject({ index: whole(0, 9_999), of: whole(1, 10_000) })
    .superRefine(between(['index', 'of'], ({ index, of }) => index < of, 'the first is below the second'))
    .default({ index: 0, of: 1 }),
});

const telegrams = z.strictObject({
  kind: z.literal('telegrams'),
  /** A file of recorded P1 telegrams, or a folder of such files. */
  path,
  tenant: tenantId,
});

/** `hes fleet --config FILE`: emulated meters, or recordings of real ones, as devices of the head-end. */
export const fleetConfig = z
  .strictObject({
    /** The folder under which `devices/<id>` lie. */
    data: path,
    front: z.strictObject({
      host: z.string().min(1).max(255),
      port: whole(1, 65_535),
      /** The name in the front's certificate, where that is not `host`. */
      servername: z.string().min(1).max(255).optional(),
    }),
    source: z.discriminatedUnion('kind', [emulated, telegrams]),
    /** A bounded run of days, or one that lives with the clock. A recording brings its own days. */
    run: z.discriminatedUnion('kind', [
      z.strictObject({
        kind: z.literal('once'),
        from: z.iso.date().default('2026-03-28'),
        days: whole(1, 10_000).default(1),
        deadlineMs: whole(1, 30 * 86_400_000).default(600_000),
      }),
      z.strictObject({
        kind: z.literal('continuous'),
        /** Hours of the clock over which the devices wake after midnight. */
        jitterHours: z.number().min(0).max(23).default(20),
      }),
    ]),
    clock: clockConfig.default({ kind: 'real' }),
    /** Devices of a run that lives with the clock take commands; those of a bounded run and recordings do not. */
    commands: z
      .strictObject({
        /** Devices that stay connected, so that commands come at once; the others hear of them when they wake. */
        stayMax: whole(0, FLEET_METERS_MAX).default(500),
      })
      .prefault({}),
    /** Where devices renew their keys, by time and at a command; without it they refuse to. */
    renewal: z
      .strictObject({
        /** By home tenant, `https://host:port` of its EST. */
        servers: z.record(tenantId, z.url({ protocol: /^https$/ })),
        /** The name in its certificate, where that is not the host. */
        servername: z.string().min(1).max(255).optional(),
      })
      .optional(),
    limits: z
      .strictObject({
        /** Devices of one home tenant that are awake at once. */
        concurrency: whole(1, 5_000).default(32),
        /** Devices kept open: about 20 KiB each. */
        openMax: whole(1, FLEET_METERS_MAX).default(20_000),
        retryBaseMs: whole(1, 3_600_000).default(500),
        retryMaxMs: whole(1, 86_400_000).default(15_000),
      })
      .superRefine(
        between(
          ['retryBaseMs', 'retryMaxMs'],
          ({ retryBaseMs, retryMaxMs }) => retryBaseMs <= retryMaxMs,
          'the first must not exceed the second',
        ),
      )
      .prefault({}),
  })
  .superRefine(
    between(
      ['limits.openMax', 'limits.concurrency'],
      ({ limits }) => limits.openMax >= limits.concurrency,
      'what is awake is open',
    ),
  );

export type FleetConfig = Frozen<z.output<typeof fleetConfig>>;
