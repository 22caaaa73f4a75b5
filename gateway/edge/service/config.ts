import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { CHANNEL_MAX, METERS_MAX, SERIAL_LENGTH_MAX } from '../../../protocol/limits.ts';
import { clockConfig } from '../../runtime/clock-config.ts';
import { between, type ConfigSource, type Frozen, loadConfig } from '../../runtime/config.ts';
import { modbusSourceConfig } from '../modbus/config.ts';
import { OUTBOX_LIMITS } from '../outbox/limits.ts';
import { SCHEDULE_LIMITS } from '../schedule.ts';
import type { SerialModeName } from '../sources/serial.ts';
import { SOURCE_TIMING } from '../sources/timing.ts';
import { UPLINK_LIMITS } from '../uplink/limits.ts';
import { renewalConfig } from './renewal-config.ts';
import { deviceRules, edgeRules } from './rules.ts';

/** A meter cabinet, a block of flats: beyond this one process is no longer "a few meters". */
const DEVICES_MAX = 64;
/** A P1 port and a few Modbus lines; each device carries five meters at most. */
const SOURCES_MAX = 8;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const file = z.string().min(1).max(4_096);
const host = z.string().min(1).max(255);
const port = z.int().min(1).max(65_535);
const whole = (min: number, max: number) => z.int().min(min).max(max);
const tenant = z.custom<TenantId>(isTenantId, 'a tenant is 2 to 32 lower-case letters and digits');
/** As it stands in logs and in `hes edge status`. */
const name = z
  .string()
  .regex(/^[\x21-\x7e]+$/, 'a name is of printable characters without blanks')
  .max(64);

/** By name only: a configuration is checked without a serial port being loaded. */
const SERIAL_MODE_NAMES = ['115200 8N1', '9600 7E1'] as const satisfies readonly SerialModeName[];

const serial = z.strictObject({
  path: file,
  mode: z.enum(['auto', ...SERIAL_MODE_NAMES]).default('auto'),
});

/**
 * Whose clock says when a telegram was: that of this machine, as for anything live, or the meter's, for a recording
 * (docs/adr/0082).
 */
const time = z.enum(['arrival', 'telegram']).optional();

const keys = z.strictObject({
  /** 32 hex digits, as the operator tells them. */
  key: file,
  /** Luxembourg's, unless told. */
  authKey: file.optional(),
});

const common = {
  name: name.optional(),
  /** For an encrypted port. */
  keys: keys.optional(),
  /** Take encrypted telegrams without a right tag. Anybody on the cable can alter them. */
  acceptUnverified: z.boolean().default(false),
};

const p1 = z
  .strictObject({
    ...common,
    serial: serial.optional(),
    tcp: z.strictObject({ host, port }).optional(),
    file: file.optional(),
    stdin: z.literal(true).optional(),
    /** Only for `file` (the telegram's, unless told) and `stdin` (the arrival). */
    time,
  })
  .superRefine(
    between(
      ['serial', 'tcp', 'file', 'stdin'],
      ({ serial, tcp, file, stdin }) =>
        [serial, tcp, file, stdin].filter((one) => one !== undefined).length === 1,
      'give one of the four',
    ),
  )
  .superRefine(
    between(
      ['acceptUnverified', 'keys'],
      ({ acceptUnverified, keys }) => !acceptUnverified || keys !== undefined,
      'without keys there is nothing to verify',
    ),
  )
  .superRefine(
    between(
      ['time', 'file'],
      ({ time, file, stdin }) => time === undefined || file !== undefined || stdin === true,
      'a live port is read by the clock of this machine; only a file or standard input brings its own time',
    ),
  );

/** One object with one of two keys, not a union of two: so that a mistake within one is told with its path. */
const source = z
  .strictObject({
    p1: p1.optional(),
    modbus: modbusSourceConfig.safeExtend({ name: name.optional() }).optional(),
  })
  .superRefine(
    between(
      ['p1', 'modbus'],
      ({ p1, modbus }) => (p1 === undefined) !== (modbus === undefined),
      'give one of the two',
    ),
  );

const owner = z
  .strictObject({
    channel: whole(0, CHANNEL_MAX).optional(),
    serial: z.string().min(1).max(SERIAL_LENGTH_MAX).optional(),
    tenant,
  })
  .superRefine(
    between(
      ['channel', 'serial'],
      ({ channel, serial }) => (channel === undefined) !== (serial === undefined),
      'give one of the two',
    ),
  );

const device = z
  .strictObject({
    /** What `hes edge enrol` has written: its keys and certificates. Readable by its user only. */
    identity: file,
    /** Where its keys are renewed, where that is not where those of the others are: another home, another CA. */
    renewal: renewalConfig.optional(),
    /** Meters that are not the home operator's, by channel or serial number. A serial number goes before a channel. */
    owners: z
      .array(owner)
      .max(2 * METERS_MAX)
      .default([]),
    sources: z.array(source).min(1).max(SOURCES_MAX),
  })
  .superRefine(deviceRules);

const schedule = z
  .strictObject({
    /** M-Bus meters are captured every five minutes: then their value of midnight is there too. */
    closeAfterSeconds: whole(0, 3_600).default(300),
    jitterMs: whole(0, DAY_MS).default(SCHEDULE_LIMITS.jitterMs),
    backoffBaseMs: whole(1, HOUR_MS).default(SCHEDULE_LIMITS.backoffBaseMs),
    backoffMaxMs: whole(1, DAY_MS).default(SCHEDULE_LIMITS.backoffMaxMs),
  })
  .superRefine(
    between(
      ['backoffBaseMs', 'backoffMaxMs'],
      ({ backoffBaseMs, backoffMaxMs }) => backoffBaseMs <= backoffMaxMs,
      'the first must not exceed the second',
    ),
  )
  .prefault({});

const outbox = z
  .strictObject({
    entriesMax: whole(8, 100_000).default(OUTBOX_LIMITS.entriesMax),
    bytesMax: whole(65_536, 1024 * 1024 * 1024).default(OUTBOX_LIMITS.bytesMax),
    parkedMax: whole(0, 10_000).default(OUTBOX_LIMITS.parkedMax),
  })
  .prefault({});

/** How the devices come to their commands. */
const commands = z
  .strictObject({
    /** Keep the connection: commands come at once, for a link that costs nothing by the hour. */
    stay: z.boolean().default(false),
    /** A wake so long after the last one, to fetch what waits; null: only with an index. Not asked of those that stay. */
    everySeconds: whole(60, 7 * 86_400)
      .nullable()
      .default(86_400),
  })
  .prefault({});

/** gateway/edge/uplink/limits.ts says what each one means. */
const uplink = z
  .strictObject({
    connectTimeoutMs: whole(100, 600_000).default(UPLINK_LIMITS.connectTimeoutMs),
    answerTimeoutMs: whole(100, 600_000).default(UPLINK_LIMITS.answerTimeoutMs),
    receiptGraceMs: whole(10, 60_000).default(UPLINK_LIMITS.receiptGraceMs),
    closeTimeoutMs: whole(10, 60_000).default(UPLINK_LIMITS.closeTimeoutMs),
    window: whole(1, UPLINK_LIMITS.window * 2).default(UPLINK_LIMITS.window),
    keepaliveSeconds: whole(1, 3_600).default(UPLINK_LIMITS.keepaliveSeconds),
  })
  .prefault({});

/** How long the eyes of a P1 port are (gateway/edge/sources/timing.ts says what each one means). */
const timing = z
  .strictObject({
    telegramMs: whole(10, HOUR_MS).default(SOURCE_TIMING.telegramMs),
    silenceMs: whole(10, HOUR_MS).default(SOURCE_TIMING.silenceMs),
    detectMs: whole(10, HOUR_MS).default(SOURCE_TIMING.detectMs),
    reopenMs: whole(10, DAY_MS).default(SOURCE_TIMING.reopenMs),
    connectMs: whole(10, HOUR_MS).default(SOURCE_TIMING.connectMs),
    tickMs: whole(10, 10_000).default(SOURCE_TIMING.tickMs),
    backoff: z
      .strictObject({
        baseMs: whole(1, HOUR_MS).default(SOURCE_TIMING.backoff.baseMs),
        maxMs: whole(1, HOUR_MS).default(SOURCE_TIMING.backoff.maxMs),
        minMs: whole(0, HOUR_MS).default(SOURCE_TIMING.backoff.minMs ?? 0),
      })
      .prefault({}),
  })
  .prefault({});

/** `hes edge run --config FILE`: the meters of one place, and where their days go. */
export const edgeConfig = z
  .strictObject({
    /** Outboxes, running days and the control socket. */
    data: file,
    headEnd: z.strictObject({
      host,
      port: port.default(8_883),
      /** The name in the front's certificate, where that is not `host`. */
      servername: z.string().min(1).max(255).optional(),
    }),
    /** Allows identities of a development PKI, and a simulated clock. */
    development: z.boolean().default(false),
    /** When telegrams are taken to be; ports, certificates and waiting always go by the real clock. */
    clock: clockConfig.default({ kind: 'real' }),
    /** Of all devices that do not say it themselves. */
    renewal: renewalConfig.optional(),
    devices: z.array(device).min(1).max(DEVICES_MAX),
    schedule,
    outbox,
    commands,
    uplink,
    timing,
  })
  .superRefine(
    between(
      ['development', 'clock'],
      ({ development, clock }) => development || clock.kind === 'real',
      'an edge in production runs on the real clock',
    ),
  )
  .superRefine(edgeRules);

export type EdgeConfig = Frozen<z.output<typeof edgeConfig>>;
export type EdgeDeviceConfig = EdgeConfig['devices'][number];
export type EdgeSourceConfig = EdgeDeviceConfig['sources'][number];
export type P1SourceConfig = NonNullable<EdgeSourceConfig['p1']>;
export type ModbusEdgeSourceConfig = NonNullable<EdgeSourceConfig['modbus']>;

/**
 * Read `edge.yaml`; every path in it is relative to the file (to the current folder where it comes from standard
 * input). Nothing that it names is opened.
 * @throws ERR_CONFIG and its kin, naming the path of each fault
 */
export async function loadEdgeConfig(source: ConfigSource): Promise<EdgeConfig> {
  const config = await loadConfig(edgeConfig, source);
  const base = 'file' in source && source.file !== '-' ? dirname(resolve(source.file)) : process.cwd();
  return withPaths(config, (path) => resolve(base, path));
}

function withPaths(config: EdgeConfig, at: At): EdgeConfig {
  return {
    ...config,
    data: at(config.data),
    devices: config.devices.map((device) => ({
      ...device,
      identity: at(device.identity),
      sources: device.sources.map((source) => sourceWithPaths(source, at)),
    })),
  };
}

type At = (path: string) => string;

function sourceWithPaths({ p1, modbus }: EdgeSourceConfig, at: At): EdgeSourceConfig {
  if (modbus !== undefined) return { modbus: modbusWithPaths(modbus, at) };
  return { p1: p1WithPaths(p1!, at) };
}

function modbusWithPaths(
  { endpoint, meters, ...rest }: ModbusEdgeSourceConfig,
  at: At,
): ModbusEdgeSourceConfig {
  return {
    ...rest,
    endpoint:
      'serial' in endpoint ? { serial: { ...endpoint.serial, path: at(endpoint.serial.path) } } : endpoint,
    meters: meters.map((meter) =>
      meter.profileFile === undefined ? meter : { ...meter, profileFile: at(meter.profileFile) },
    ),
  };
}

function p1WithPaths({ serial, file, keys, ...rest }: P1SourceConfig, at: At): P1SourceConfig {
  return {
    ...rest,
    ...(serial === undefined ? {} : { serial: { ...serial, path: at(serial.path) } }),
    ...(file === undefined ? {} : { file: at(file) }),
    ...(keys === undefined
      ? {}
      : {
          keys: {
            key: at(keys.key),
            ...(keys.authKey === undefined ? {} : { authKey: at(keys.authKey) }),
          },
        }),
  };
}
