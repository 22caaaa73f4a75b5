import { z } from 'zod';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import { LATER_SECONDS_MAX } from '../../protocol/limits.ts';
import { clockConfig } from '../runtime/clock-config.ts';
import { between, type Frozen } from '../runtime/config.ts';

/** A path to a file that the router reads. Keys, certificates and tokens are never in the configuration itself. */
const file = z.string().min(1).max(4_096);

const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');

const whole = (min: number, max: number) => z.int().min(min).max(max);

const DAY_SECONDS = 86_400;

const mdm = z.strictObject({
  /** Where records are posted. */
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => new URL(url).username === '', 'no credentials in the address'),
  /** A file with a bearer token; read again when the MDM refuses the one in hand. */
  tokenFile: file.optional(),
  tls: z
    .strictObject({ ca: file.optional(), certificate: file.optional(), key: file.optional() })
    .superRefine(
      between(
        ['certificate', 'key'],
        ({ certificate, key }) => (certificate === undefined) === (key === undefined),
        'a client certificate and its key come together',
      ),
    )
    .optional(),
  batch: z
    .strictObject({
      recordsMax: whole(1, 1_000).default(100),
      bytesMax: whole(65_536, 64 * 1_048_576).default(4 * 1_048_576),
      /** How long records wait for each other when the MDM is idle. Each request costs as much as a reading's cryptography. */
      gatherMs: whole(0, 1_000).default(5),
      /** How long a busy MDM lets a batch fill up. */
      lingerMs: whole(0, 1_000).default(10),
    })
    .prefault({}),
  /** Requests under way at once, a connection each. */
  inFlightMax: whole(1, 64).default(4),
  /** Records held at once, waiting or under way; beyond it devices are told `later`. 16 KiB each at most in use. */
  queueMax: whole(1, 100_000).default(2_000),
  connectMs: whole(50, 60_000).default(2_000),
  requestMs: whole(50, 60_000).default(5_000),
  answerBytesMax: whole(1_024, 16 * 1_048_576).default(1_048_576),
  retry: z
    .strictObject({
      baseMs: whole(1, 10_000).default(200),
      maxMs: whole(1, 60_000).default(2_000),
      attemptsMax: whole(1, 20).default(5),
    })
    .prefault({}),
  breaker: z
    .strictObject({
      failuresMax: whole(1, 100).default(5),
      openMs: whole(10, 600_000).default(5_000),
      openMsMax: whole(10, 3_600_000).default(60_000),
    })
    .prefault({}),
});

/** What a device is told to wait, evenly drawn from this range. */
const laterOf = (minSeconds: number, maxSeconds: number) =>
  z
    .strictObject({
      minSeconds: whole(1, LATER_SECONDS_MAX / 2).default(minSeconds),
      maxSeconds: whole(1, LATER_SECONDS_MAX / 2).default(maxSeconds),
    })
    .superRefine(
      between(
        ['minSeconds', 'maxSeconds'],
        (later) => later.minSeconds <= later.maxSeconds,
        'the first must not exceed the second',
      ),
    )
    .prefault({});

/** One tenant's router. What it holds: the paths of that tenant's sealing keys, and whom it trusts to sign. */
export const routerConfig = z
  .strictObject({
    mode: z.enum(['production', 'development']).default('production'),
    tenant,
    /** Several are valid at once while one is being rolled over; read again when they change. */
    sealingKeys: z
      .array(z.strictObject({ certificate: file, key: file, passphraseFile: file.optional() }))
      .max(8)
      .default([]),
    /** A folder of `<kid>.crt` and `<kid>.key`: every key in it, as they come and go in a roll-over. */
    sealingKeysIn: z.strictObject({ directory: file, passphraseFile: file.optional() }).optional(),
    trust: z.strictObject({
      root: file,
      /** The issuing CA of this tenant, and of each tenant whose devices carry a guest meter of it. */
      issuers: z
        .array(z.strictObject({ tenant, certificate: file }))
        .min(1)
        .max(64),
      revocations: z.array(file).max(64).default([]),
      /** This tenant's word to devices that seal to an older key; without it they are told nothing. */
      notice: file.optional(),
      /** How often issuing CAs, revocation lists, sealing keys and the notice are read again. */
      reloadSeconds: whole(1, DAY_SECONDS).default(60),
      /** How long after its next update a revocation list still counts; then its CA's certificates are refused. */
      crlGraceHours: whole(0, 720).default(0),
    }),
    mdm,
    later: laterOf(60, 900),
    admission: z
      .strictObject({
        /** Older is refused as `too-old`. After an outage a device closes up to 62 days, and sends them some days later. */
        ageDaysMax: whole(1, 36_500).default(70),
        /** How far a device's clock may lead ours. */
        futureSecondsMax: whole(0, 400 * DAY_SECONDS).default(300),
      })
      .prefault({}),
    clock: clockConfig.default({ kind: 'real' }),
    limits: z
      .strictObject({
        /** From the request to its answer, at most; the front holds the PUBACK a little longer than this. */
        answerWithinMs: whole(100, 60_000).default(8_000),
        /** Uplinks in hand at once; beyond it they are shed before any decryption. */
        heldMax: whole(1, 100_000).default(4_000),
      })
      .prefault({}),
    desk: z
      .strictObject({
        /** How long the desk may take over what a device says. With the MDM's time it ends before the front gives up. */
        answerWithinMs: whole(100, 60_000).default(5_000),
        /** Results and events in hand at once, apart from readings: a desk that stands still costs no reading its place. */
        heldMax: whole(1, 100_000).default(1_024),
        /** What a device is told to wait where the desk is away. A desk is back in seconds, and results are few. */
        later: laterOf(5, 60),
      })
      .prefault({}),
  })
  .superRefine(
    between(
      ['sealingKeys', 'sealingKeysIn'],
      ({ sealingKeys, sealingKeysIn }) => sealingKeys.length > 0 || sealingKeysIn !== undefined,
      'a router opens with at least one sealing key',
    ),
  )
  .superRefine(
    between(
      ['mode', 'clock'],
      ({ mode, clock }) => mode !== 'production' || clock.kind === 'real',
      'a router in production runs on the real clock',
    ),
  )
  .superRefine(
    between(
      ['mode', 'mdm.url'],
      ({ mode, mdm }) => mode !== 'production' || mdm.url.startsWith('https:'),
      'in production readings go to the MDM over HTTPS',
    ),
  )
  .superRefine(
    between(
      ['mdm.requestMs', 'limits.answerWithinMs'],
      ({ mdm, limits }) => mdm.requestMs <= limits.answerWithinMs,
      'a request to the MDM must end before the device has to be answered',
    ),
  );

export type RouterConfig = Frozen<z.output<typeof routerConfig>>;
