import { join } from 'node:path';
import type { FleetConfig } from '../../../meter-emulator/config.ts';
import type { EmulatorErrorCode } from '../../../meter-emulator/errors.ts';
import type { DevelopmentPki } from '../../../pki/development/development.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { EdgeErrorCode } from '../../edge/errors.ts';
import type { ChildSpec } from '../../runtime/child.ts';
import type { SimulatedClockConfig } from './clock.ts';
import { type DeskGround, registryFile, urlsOf } from './desks.ts';
import type { UpOptions } from './options.ts';

/** What `hes up` starts, and how: one table of processes, each with the configuration that it alone is given. */
export interface Plan {
  readonly mdm: ChildSpec | undefined;
  readonly front: ChildSpec;
  readonly routers: readonly ChildSpec[];
  readonly desks: readonly ChildSpec[];
  /** Where devices renew their keys; beside desks, which can order it. */
  readonly ca: ChildSpec | undefined;
  fleet(frontPort: number): ChildSpec;
}

export interface Ground {
  readonly options: UpOptions;
  readonly pki: DevelopmentPki;
  readonly busDirectory: string;
  /** Folder of this run, for what its simulated parts remember. */
  readonly run: string;
  /** Folder in which the devices live. */
  readonly devices: string;
  readonly clock: SimulatedClockConfig;
  /** Days that the router still takes: what the run covers, and the outboxes of a long silence. */
  readonly ageDaysMax: number;
  /** A run without end has desks; a bounded one commands nothing. */
  readonly desks?: DeskGround;
  /** Of each operator's EST, beside the desks. */
  readonly caPorts?: ReadonlyMap<TenantId, number>;
  /** Ports of the simulated MDMs, fixed so that a restarted one is found again. */
  readonly mdmPorts: ReadonlyMap<TenantId, number>;
}

const HES = new URL(import.meta.url.endsWith('.ts') ? '../hes.ts' : '../hes.js', import.meta.url);

/**
 * Second fence of the processes that handle readings: Node itself grants them no right to write a file, start a
 * program or load native code (docs/adr/0042). The first fence is the operating system's.
 */
const NO_WRITE = [
  '--permission',
  '--allow-fs-read=*',
  '--allow-net',
  '--disable-warning=ExperimentalWarning',
];

/**
 * Megabytes that the old space may grow to before its first collection. A small heap has less room left than its
 * young generation takes, for which V8 marks the whole of it again and again: a router did so every 200 readings and
 * spent a quarter of its time on it. Resident memory stays what it was (docs/adr/0090).
 */
const HEAP = ['--initial-old-space-size=96'];

/** First readings and results stop coming, then they stop being carried, then taken. Nothing is under way between front and routers by then. */
const STOP_RANK = { fleet: 0, desk: 1, 'dev-ca': 1, front: 2, router: 2, mdm: 3 } as const;

/** The registry of the largest fleet is entered before a desk is ready. */
const DESK_READY_WITHIN_MS = 600_000;

/** Two writes of a record file in flight, and a fleet of many devices, need a moment longer to start. */
const FLEET_READY_WITHIN_MS = 600_000;

/**
 * What devices wait when an MDM is away. In the field that is a quarter of an hour; here nobody watches for so long,
 * and a simulated day may be over in a second.
 */
const LATER = { minSeconds: 1, maxSeconds: 5 } as const;

/** A roll-over that somebody begins in a second terminal is to be seen while he looks. */
const RELOAD_SECONDS = 2;

/** A device's file is not what it should be, and would not be after a restart: the user is told which one. */
const DAMAGED_DEVICE = [
  'ERR_FLEET_IDENTITY',
  'ERR_OUTBOX_DAMAGED',
  'ERR_OUTBOX_FORMAT',
  'ERR_JOURNAL_DAMAGED',
  'ERR_JOURNAL_FORMAT',
] satisfies readonly (EmulatorErrorCode | EdgeErrorCode)[];

export function planProcesses(ground: Ground): Plan {
  const { options, pki, busDirectory, run, clock } = ground;
  const { layout } = pki;
  const environment = environmentOf(process.env);
  const spec: MakeSpec = (name, kind, config, rest = {}) => ({
    name,
    module: HES,
    args: [kind, '--config', '-', '--log-level', options.logLevel],
    config,
    env: environment,
    stopRank: STOP_RANK[kind],
    ...rest,
  });

  const simulated = [...ground.mdmPorts].map(([tenant, port]) => ({
    tenant,
    port,
    store: join(run, `mdm-${tenant}.keys`),
  }));
  const bus = { directory: busDirectory };
  return {
    mdm:
      simulated.length === 0
        ? undefined
        : spec('mdm', 'mdm', {
            tenants: simulated,
            ...(options.mdmOut === undefined ? {} : { mdmOut: options.mdmOut }),
          }),

    front: spec(
      'front',
      'front',
      {
        listen: options.config.listen,
        tls: layout.front,
        root: layout.root.certificate,
        tenants: Object.fromEntries(
          options.tenants.map((tenant) => [
            tenant,
            { issuing: [layout.issuing(tenant).certificate], crls: [layout.crl(tenant)] },
          ]),
        ),
        bus,
        development: true,
      },
      // It removes the sockets that a killed front left.
      { nodeFlags: [...NO_WRITE, ...HEAP, `--allow-fs-write=${busDirectory}`] },
    ),

    routers: options.tenants.map((tenant) =>
      spec(
        `router-${tenant}`,
        'router',
        {
          mode: 'development',
          tenant,
          sealingKeysIn: { directory: layout.sealingDirectory(tenant) },
          trust: {
            root: layout.root.certificate,
            issuers: options.tenants.map((issuer) => ({
              tenant: issuer,
              certificate: layout.issuing(issuer).certificate,
            })),
            revocations: options.tenants.map((issuer) => layout.crl(issuer)),
            notice: layout.notice(tenant),
            reloadSeconds: RELOAD_SECONDS,
          },
          mdm: mdmOf(ground, tenant),
          later: LATER,
          admission: { ageDaysMax: ground.ageDaysMax },
          clock,
          bus,
        },
        { nodeFlags: [...NO_WRITE, ...HEAP] },
      ),
    ),

    desks: ground.desks === undefined ? [] : options.tenants.map((tenant) => deskSpec(ground, tenant, spec)),

    ca: ground.caPorts === undefined ? undefined : caSpec(ground, ground.caPorts, spec),

    fleet: (port) =>
      spec('fleet', 'fleet', fleetConfigOf(ground, port), {
        readyWithinMs: FLEET_READY_WITHIN_MS,
        endsWith: DAMAGED_DEVICE,
      }),
  };
}

type MakeSpec = (
  name: string,
  kind: keyof typeof STOP_RANK,
  config: unknown,
  rest?: Partial<ChildSpec>,
) => ChildSpec;

/** Its database, what SQLite keeps beside it, and nothing else is written. */
function deskSpec(
  { options, pki, busDirectory, run, desks }: Ground,
  tenant: TenantId,
  spec: MakeSpec,
): ChildSpec {
  const { layout } = pki;
  const { directory, ports } = desks!;
  const database = join(directory, `${tenant}.sqlite`);
  return spec(
    `desk-${tenant}`,
    'desk',
    {
      mode: 'development',
      tenant,
      database,
      listen: { host: '127.0.0.1', port: ports.get(tenant) },
      tls: layout.office.desk(tenant),
      office: {
        root: layout.office.root.certificate,
        issuing: [layout.office.issuing(tenant).certificate],
        revocations: [layout.office.crl(tenant)],
      },
      field: {
        root: layout.root.certificate,
        issuers: options.tenants.map((issuer) => ({
          tenant: issuer,
          certificate: layout.issuing(issuer).certificate,
        })),
        revocations: options.tenants.map((issuer) => layout.crl(issuer)),
        notice: layout.notice(tenant),
      },
      reloadSeconds: RELOAD_SECONDS,
      registry: registryFile(run, tenant),
      // Another seed makes another fleet: meters of an earlier one are nobody's.
      registryHas: 'all',
      bus: { directory: busDirectory },
    },
    { nodeFlags: [...NO_WRITE, `--allow-fs-write=${database}*`], readyWithinMs: DESK_READY_WITHIN_MS },
  );
}

/** It writes the registers of the CAs, and ends what a roll-over that was cut short began: its PKI, and nothing else. */
function caSpec({ pki }: Ground, ports: ReadonlyMap<TenantId, number>, spec: MakeSpec): ChildSpec {
  const { layout } = pki;
  return spec(
    'ca',
    'dev-ca',
    { pki: layout.directory, tls: layout.front, listen: { ports: Object.fromEntries(ports) } },
    { nodeFlags: [...NO_WRITE, `--allow-fs-write=${layout.directory}/*`] },
  );
}

function mdmOf({ options, mdmPorts }: Ground, tenant: TenantId): unknown {
  const port = mdmPorts.get(tenant);
  return port === undefined ? options.config.tenants![tenant]!.mdm : { url: `http://127.0.0.1:${port}/` };
}

/** The fleet's configuration; its `source` also says which devices are to be enrolled first. */
export function fleetSource({ telegrams, config, tenants }: UpOptions): FleetConfig['source'] {
  if (telegrams !== undefined) return { kind: 'telegrams', path: telegrams.path, tenant: telegrams.tenant };
  const { seed, meters } = config.fleet;
  return {
    kind: 'emulated',
    seed,
    meters,
    tenants: tenants.map((id) => ({ id })),
    sampling: 'quarter-hour',
    slice: { index: 0, of: 1 },
  };
}

function fleetConfigOf({ options, devices, clock, caPorts }: Ground, port: number): unknown {
  const { once, days, deadlineMs, config } = options;
  return {
    data: devices,
    front: { host: reachable(config.listen.host), port, servername: 'localhost' },
    source: fleetSource(options),
    run: once ? { kind: 'once', from: config.fleet.from, days, deadlineMs } : { kind: 'continuous' },
    // What a recording says of its time is judged by the real clock.
    clock: options.telegrams === undefined ? clock : { kind: 'real' },
    ...(caPorts === undefined ? {} : { renewal: { servers: urlsOf(caPorts), servername: 'localhost' } }),
  };
}

/** An address to listen on everywhere is reached by loopback from this machine. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

/** What a child needs of the environment: where programs and temporary files are, and nothing that may be secret. */
const ENVIRONMENT = ['PATH', 'TMPDIR', 'HOME', 'TZ', 'LANG'] as const;

function environmentOf(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    ENVIRONMENT.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
