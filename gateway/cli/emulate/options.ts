import { readFile } from 'node:fs/promises';
import { isP1Dialect, P1_DIALECTS } from '../../../meter-emulator/meter/dialect-ports.ts';
import { type PlannedFault, parseFault } from '../../../meter-emulator/meter/fault-plan.ts';
import type { MeterOptions, MeterPort } from '../../../meter-emulator/meter/meter.ts';
import { DIALECT_PORTS } from '../../../meter-emulator/p1/dialects.ts';
import { isEstUrl } from '../../../pki/device.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { dayNamed, METERING_ZONE } from '../../edge/days/calendar.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys, parseP1Key } from '../../edge/p1/glo-keys.ts';
import { type Clock, simulatedClock, systemClock } from '../../runtime/clock.ts';
import { usage } from '../errors.ts';
import { profileOf } from '../modbus/flags.ts';

export interface EmulateMeterFlags {
  readonly p1?: readonly string[];
  readonly oneReader?: boolean;
  readonly dialect?: string;
  readonly key?: string;
  readonly authKey?: string;
  readonly seed?: number;
  readonly phases?: number;
  readonly message?: string;
  readonly every?: number;
  readonly from?: string;
  readonly speed?: number;
  readonly modbus?: readonly string[];
  readonly profile?: string;
  readonly profileFile?: string;
  readonly id?: number;
  readonly fault?: readonly string[];
  readonly identity?: string;
  readonly front?: string;
  readonly servername?: string;
  readonly est?: string;
  readonly json?: boolean;
}

/** An edge inside the meter, and where its head-end is. */
export interface InsidePlan {
  readonly identityFile: string;
  readonly headEnd: { readonly host: string; readonly port: number; readonly servername?: string };
  readonly realSeconds: (meteringSeconds: number) => number;
  /** Where it renews its keys. */
  readonly renewal?: { readonly url: string; readonly servername?: string };
}

export interface EmulateMeterPlan {
  readonly options: MeterOptions & { readonly clock: Clock };
  readonly faults: readonly PlannedFault[];
  /** Null: a meter that nobody commands. */
  readonly inside: InsidePlan | null;
}

/** ser2net's own example has its first port there. */
const P1_USUAL = 'tcp:2001';

/** What was asked for, checked. @throws ERR_USAGE, ERR_MODBUS_PROFILE, ERR_CONFIG and its kin */
export async function planOf(flags: EmulateMeterFlags): Promise<EmulateMeterPlan> {
  const { seed = 1, dialect = 'emucs-2.1.1', every, phases, message } = flags;
  if (!isP1Dialect(dialect)) throw usage(`--dialect is one of ${P1_DIALECTS.join(', ')}`);
  if (phases === 2) throw usage('--phases is 1 or 3');
  const keys = await keysOf(flags, DIALECT_PORTS[dialect].encrypted);
  const faults = (flags.fault ?? []).map(faultOf);
  if (!DIALECT_PORTS[dialect].crc && faults.some(({ fault }) => fault === 'wrong-crc'))
    throw usage(`${dialect} prints no CRC, so none can be wrong; noise and cut are possible`);
  const readers = flags.oneReader === true ? { readersMax: 1 } : {};
  const time = timeOf(flags);
  const p1 = flags.p1 ?? (flags.modbus === undefined ? [P1_USUAL] : []);
  return {
    options: {
      seed,
      dialect,
      clock: time.clock,
      ports: p1.map((place) => placeOf('--p1', place, 'pty', readers)),
      modbus: await modbusOf(flags),
      ...(keys === null ? {} : { keys }),
      ...(every === undefined ? {} : { everySeconds: every }),
      ...(phases === undefined ? {} : { phases: phases as 1 | 3 }),
      ...(message === undefined ? {} : { conditions: () => ({ message: latin1(message) }) }),
    },
    faults,
    inside: insideOf(flags, time.realSeconds),
  };
}

function insideOf(
  { identity, front, servername, est }: EmulateMeterFlags,
  realSeconds: InsidePlan['realSeconds'],
): InsidePlan | null {
  if (identity === undefined && front === undefined) {
    if (servername !== undefined) throw usage('--servername is of no use without --front');
    if (est !== undefined) throw usage('--est is of no use without --identity');
    return null;
  }
  if (identity === undefined || front === undefined) throw usage('--identity and --front go together');
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(front);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  if (host === undefined || port < 1 || port > 65_535) throw usage('--front is HOST:PORT');
  if (est !== undefined && !isEstUrl(est)) throw usage('--est is https://HOST[:PORT]');
  const named = servername === undefined ? {} : { servername };
  return {
    identityFile: identity,
    headEnd: { host, port, ...named },
    realSeconds,
    ...(est === undefined ? {} : { renewal: { url: est, ...named } }),
  };
}

/** P1 prints one byte a character. */
function latin1(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

async function modbusOf(flags: EmulateMeterFlags): Promise<NonNullable<MeterOptions['modbus']>> {
  const { modbus = [], profile, profileFile, id } = flags;
  if (modbus.length === 0) {
    if (profile !== undefined || profileFile !== undefined || id !== undefined)
      throw usage('--profile, --profile-file and --id are of no use without --modbus');
    return [];
  }
  const named = profile === undefined && profileFile === undefined ? { profile: 'sdm630' } : {};
  const found = await profileOf({ ...named, ...flags });
  const unit = id === undefined ? {} : { unit: id };
  return modbus.map((place) => ({ at: placeOf('--modbus', place, 'rtu', {}), profile: found, ...unit }));
}

/** `pty:PATH` or `rtu:PATH`, `tcp:PORT`, `tcp:HOST:PORT`, `tcp:[v6]:PORT`. */
export function placeOf(
  flag: string,
  text: string,
  terminal: 'pty' | 'rtu',
  more: { readonly readersMax?: number },
): MeterPort {
  if (text.startsWith(`${terminal}:`) && text.length > terminal.length + 1)
    return { pty: { path: text.slice(terminal.length + 1) } };
  const found = /^tcp:(?:(?:\[([^\]]+)\]|([^:]+)):)?(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  if (found === null || port > 65_535) throw usage(`${flag} is ${terminal}:PATH or tcp:[HOST:]PORT`);
  return { tcp: { port, ...(host === undefined ? {} : { host }), ...more } };
}

async function keysOf({ key, authKey }: EmulateMeterFlags, encrypted: boolean): Promise<P1Keys | null> {
  if (key === undefined) {
    if (authKey !== undefined) throw usage('--auth-key is of no use without --key');
    if (encrypted) throw usage('this dialect is encrypted: give --key FILE');
    return null;
  }
  return {
    encryption: await keyFile('--key', key, 'encryption'),
    authentication:
      authKey === undefined
        ? AUTHENTICATION_KEY_LUXEMBOURG
        : await keyFile('--auth-key', authKey, 'authentication'),
  };
}

async function keyFile(
  flag: string,
  path: string,
  what: 'encryption' | 'authentication',
): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readFile(path, 'latin1');
  } catch {
    throw usage(`the file of ${flag} cannot be read`);
  }
  return asUsage(() => parseP1Key(text, what));
}

function faultOf(text: string): PlannedFault {
  return asUsage(() => parseFault(text));
}

/** What a room refuses of a flag's text is a wrong command line. */
function asUsage<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw isHesError(error) ? usage(error.message) : error;
  }
}

const MINUTES_PER_DAY = 24 * 60;

interface MeterTime {
  readonly clock: Clock;
  /** Its seconds by the real clock, by which people sign. */
  readonly realSeconds: (meteringSeconds: number) => number;
}

function timeOf({ from, speed }: EmulateMeterFlags): MeterTime {
  if (from === undefined && speed === undefined) return { clock: systemClock, realSeconds: (one) => one };
  const startedAtMs = Date.now();
  const originMs = from === undefined ? startedAtMs : momentOf(from);
  const rate = speed === undefined ? 1 : MINUTES_PER_DAY * speed;
  return {
    clock: simulatedClock({ originMs, startedAtMs, speed: rate }),
    realSeconds: (seconds) => (startedAtMs + (seconds * 1_000 - originMs) / rate) / 1_000,
  };
}

function momentOf(text: string): number {
  const [day = '', time] = text.split('T');
  const start = asUsage(() => dayNamed(day).start * 1_000);
  if (time === undefined) return start;
  if (!/^([01]\d|2[0-3]):[0-5]\d$/.test(time)) throw usage('--from is YYYY-MM-DD or YYYY-MM-DDTHH:MM');
  return Temporal.PlainDateTime.from(text).toZonedDateTime(METERING_ZONE).epochMilliseconds;
}
