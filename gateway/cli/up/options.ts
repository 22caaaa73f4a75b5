import type { TenantId } from '../../../protocol/identity.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { loadConfig, parseConfig } from '../../runtime/config.ts';
import type { LogLevel } from '../../runtime/log.ts';
import { usage } from '../errors.ts';
import { type UpConfig, upConfig } from './config.ts';

/** What the command line gave, before the configuration file is read. */
export interface UpFlags {
  readonly once?: boolean;
  readonly meters?: number;
  readonly days?: number;
  readonly seed?: number;
  readonly from?: string;
  readonly speed?: number;
  readonly realTime?: boolean;
  readonly report?: string;
  readonly deadline?: number;
  readonly telegrams?: string;
  readonly tenant?: string;
  readonly mdmOut?: string;
  readonly data?: string;
  readonly config?: string;
  readonly host?: string;
  readonly port?: number;
  readonly json?: boolean;
  readonly logLevel?: LogLevel;
}

export interface UpOptions {
  readonly config: UpConfig;
  readonly tenants: readonly TenantId[];
  readonly once: boolean;
  readonly days: number;
  /** The clock of everything is the real one. */
  readonly realTime: boolean;
  readonly report: string | undefined;
  readonly deadlineMs: number;
  readonly telegrams: { readonly path: string; readonly tenant: TenantId } | undefined;
  readonly mdmOut: string | undefined;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

/** Flags that mean nothing without another: said, rather than ignored. */
const NEEDS: ReadonlyArray<readonly [keyof UpFlags, keyof UpFlags, string]> = [
  ['days', 'once', '--days goes with --once'],
  ['report', 'once', '--report goes with --once'],
  ['json', 'once', '--json goes with --once'],
  ['deadline', 'once', '--deadline goes with --once'],
  ['tenant', 'telegrams', '--tenant goes with --telegrams'],
];
const EXCLUDES: ReadonlyArray<readonly [keyof UpFlags, keyof UpFlags, string]> = [
  ['once', 'speed', '--speed is for a run without end; --once goes as fast as it can'],
  ['realTime', 'once', '--real-time is for a run without end: leave out --once'],
  ['realTime', 'speed', '--real-time is a day a day: leave out --speed'],
  ['realTime', 'from', '--real-time begins now: leave out --from'],
  ['realTime', 'telegrams', '--telegrams brings its own time: leave out --real-time'],
  ['telegrams', 'meters', '--telegrams brings its own meters: leave out --meters'],
  ['telegrams', 'days', '--telegrams brings its own days: leave out --days'],
];

/** Readings take seconds on a loaded machine; a hundred a second is slow for any. */
const DEADLINE_BASE_SECONDS = 120;
const DEADLINE_READINGS_PER_SECOND = 50;

/** @throws ERR_USAGE, ERR_CONFIG */
export async function readOptions(flags: UpFlags): Promise<UpOptions> {
  for (const [flag, needed, message] of NEEDS)
    if (flags[flag] !== undefined && flags[needed] === undefined) throw usage(message);
  for (const [flag, excluded, message] of EXCLUDES)
    if (flags[flag] !== undefined && flags[excluded] !== undefined) throw usage(message);

  const fromFile =
    flags.config === undefined
      ? parseConfig(upConfig, {})
      : await loadConfig(upConfig, { file: flags.config });
  const config = parseConfig(
    upConfig,
    {
      ...fromFile,
      data: flags.data ?? fromFile.data,
      listen: { host: flags.host ?? fromFile.listen.host, port: flags.port ?? fromFile.listen.port },
      fleet: {
        meters: flags.meters ?? fromFile.fleet.meters,
        seed: flags.seed ?? fromFile.fleet.seed,
        from: flags.from ?? fromFile.fleet.from,
        speed: flags.speed ?? fromFile.fleet.speed,
      },
    },
    'command line',
  );
  const tenants =
    config.tenants === undefined
      ? CONSORTIUM.map(({ id }) => id)
      : (Object.keys(config.tenants) as TenantId[]);
  const days = flags.days ?? 1;
  const readings = config.fleet.meters * days;
  return {
    config,
    tenants,
    once: flags.once === true,
    days,
    realTime: flags.realTime === true,
    report: flags.report,
    deadlineMs:
      1_000 * (flags.deadline ?? DEADLINE_BASE_SECONDS + Math.ceil(readings / DEADLINE_READINGS_PER_SECOND)),
    telegrams:
      flags.telegrams === undefined
        ? undefined
        : { path: flags.telegrams, tenant: tenantOf(flags.tenant ?? 'ores', tenants) },
    mdmOut: flags.mdmOut,
    json: flags.json === true,
    logLevel: flags.logLevel ?? 'warn',
  };
}

function tenantOf(name: string, tenants: readonly TenantId[]): TenantId {
  const found = tenants.find((tenant) => tenant === name);
  if (found === undefined) throw usage(`--tenant ${name}: the operators here are ${tenants.join(', ')}`);
  return found;
}
