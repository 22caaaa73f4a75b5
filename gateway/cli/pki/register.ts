import { randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { openRegister, type Register } from '../../../pki/ca/register.ts';
import { keyHash } from '../../../pki/enrolment/request-check.ts';
import { pkiError } from '../../../pki/errors.ts';
import { writeNew } from '../../../pki/files/files.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { isHesError } from '../../../protocol/errors.ts';
import {
  type DeviceId,
  isDeviceId,
  isTenantId,
  parseTenantId,
  type TenantId,
} from '../../../protocol/identity.ts';
import { parseCsv } from '../campaign/csv.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import type { PkiFlags } from './flags.ts';
import { refuseExisting } from './issue.ts';
import { pkiDirectory, tenantOf } from './opened.ts';
import { print, printJson } from './print.ts';
import { asker } from './secrets.ts';

/**
 * `hes pki register`: devices that will ask for certificates, before they do. By the serial number that their
 * manufacturer gave them, by the key of their birth certificate, or by a one-time code for the installer.
 */

export interface RegisterFlags extends PkiFlags {
  readonly csv?: string;
  readonly serial?: string;
  readonly birth?: string;
  readonly device?: string;
  readonly guest?: readonly string[];
  readonly code?: boolean;
  readonly codeDays?: number;
  readonly out?: string;
}

interface Wanted {
  readonly line: number;
  readonly device: DeviceId;
  readonly guests: readonly TenantId[];
  readonly serial?: string;
  readonly birthKey?: string;
}

interface Registered {
  readonly line: number;
  readonly device: DeviceId | null;
  readonly serial: string | null;
  readonly code: string | null;
  readonly error: string | null;
}

const DAY_MS = 86_400_000;
const CODE_DAYS = 30;
/** So many devices are on the disk together: one flush for all of them. */
const BATCH = 500;
const DEVICE_ID_BYTES = 8;

/** @throws ERR_USAGE, ERR_CA_CONFLICT, ERR_CA_REGISTER, ERR_PKI_ABSENT, ERR_PKI_EXISTS, ERR_PKI_TENANT */
export function pkiRegister(flags: RegisterFlags): void {
  const { csv, codeDays = CODE_DAYS } = flags;
  const home = tenantOf(flags);
  const wanted = csv === undefined ? [single(flags)] : rowsOf(csv);
  const withCode = flags.code === true;
  if (!withCode && wanted.some(({ serial, birthKey }) => serial === undefined && birthKey === undefined))
    throw usage('by what will it be known? --serial, --birth or --code (columns serial, birth)');
  // Before anything is registered: codes are shown once, and would be lost with the list that holds them.
  if (flags.out !== undefined) refuseExisting(flags.out);
  const about = { home, withCode, codeEndsAtMs: Date.now() + codeDays * DAY_MS, isList: csv !== undefined };
  const path = pkiLayout(pkiDirectory(flags)).ca(home);
  if (flags.dryRun === true) reportDry(wanted.length, tryAll(path, wanted, about), flags, home);
  else report(enterAll(path, wanted, about), flags, home);
}

interface About {
  readonly home: TenantId;
  readonly withCode: boolean;
  readonly codeEndsAtMs: number;
  /** Of a list, what cannot be registered keeps nothing else from it. */
  readonly isList: boolean;
}

function enterAll(path: string, wanted: readonly Wanted[], about: About): Registered[] {
  const register = openRegister({ path, owner: about.home });
  const done: Registered[] = [];
  try {
    for (let at = 0; at < wanted.length; at += BATCH) {
      const rows = wanted.slice(at, at + BATCH);
      register.transaction(() => {
        for (const row of rows) done.push(enter(register, row, about));
      });
      progress(done.length, wanted.length);
    }
  } finally {
    register.close();
  }
  return done;
}

/** Do it for its conflicts, and take all of it back. In no register there is nothing to be in conflict with. */
function tryAll(path: string, wanted: readonly Wanted[], about: About): readonly Registered[] {
  if (!existsSync(path)) return [];
  const register = openRegister({ path, owner: about.home });
  const done: Registered[] = [];
  const back = usage('a dry run');
  try {
    register.transaction(() => {
      for (const row of wanted) done.push(enter(register, row, about));
      throw back;
    });
  } catch (error) {
    if (error !== back) throw error;
  } finally {
    register.close();
  }
  return done;
}

function enter(register: Register, row: Wanted, about: About): Registered {
  const named = { line: row.line, serial: row.serial ?? null };
  try {
    const device = enterDevice(register, about.home, row);
    const code = about.withCode ? register.devices.newCode(device, about.codeEndsAtMs, asker()) : null;
    return { ...named, device, code, error: null };
  } catch (error) {
    if (!isHesError(error) || !about.isList || error.code !== 'ERR_CA_CONFLICT') throw error;
    return { ...named, device: null, code: null, error: error.message };
  }
}

function enterDevice(register: Register, home: TenantId, wanted: Wanted): DeviceId {
  const { serial, birthKey, device, guests } = wanted;
  const known = serial === undefined ? undefined : register.devices.bySerial(serial);
  const about = { device: known?.device ?? device, home, guests };
  const by = {
    ...(serial === undefined ? {} : { serial }),
    ...(birthKey === undefined ? {} : { birthKey }),
  };
  return register.devices.add({ ...about, ...by }, asker()).device;
}

function reportDry(wanted: number, tried: readonly Registered[], flags: RegisterFlags, home: TenantId): void {
  const failed = tried.filter(({ error }) => error !== null);
  if (flags.json === true) printJson({ home, wanted, failed, dryRun: true });
  else {
    for (const { line, error } of failed) print(`line ${line}: ${error}`);
    print(`${wanted - failed.length} devices of ${home} would be registered, ${failed.length} refused.`);
  }
  if (failed.length > 0) process.exitCode = EXIT.incomplete;
}

function report(done: readonly Registered[], flags: RegisterFlags, home: TenantId): void {
  const failed = done.filter(({ error }) => error !== null);
  if (flags.out !== undefined)
    writeNew(
      flags.out,
      [['device', 'serial', 'code'], ...done.map(({ device, serial, code }) => [device, serial, code])]
        .map((cells) => `${cells.join(',')}\n`)
        .join(''),
    );
  if (flags.json === true)
    printJson({
      home,
      registered: done.length - failed.length,
      failed,
      ...(flags.out === undefined ? { devices: done } : { out: flags.out }),
    });
  else {
    for (const { line, error } of failed) print(`line ${line}: ${error}`);
    if (flags.out === undefined)
      for (const { device, code } of done)
        if (device !== null) print(code === null ? device : `${device}  ${code}`);
    print(`${done.length - failed.length} devices of ${home} are expected, ${failed.length} were refused.`);
  }
  if (failed.length > 0) process.exitCode = EXIT.incomplete;
}

export function progress(done: number, total: number): void {
  if (process.stderr.isTTY === true)
    process.stderr.write(`\r${done} of ${total}${done === total ? '\n' : ''}`);
}

const newDevice = (): DeviceId => randomBytes(DEVICE_ID_BYTES).toString('hex') as DeviceId;

function single({ serial, birth, device = newDevice(), guest = [] }: RegisterFlags): Wanted {
  if (!isDeviceId(device)) throw usage('--device takes 16 lower-case hex digits');
  const guests = guest.map((name) => parseTenantId(name));
  return { line: 1, device, guests, ...identified(serial, birth) };
}

/** Columns: serial, birth (a hash of 64 hex digits or a PEM file), guests (separated by spaces), device. */
const COLUMNS = ['serial', 'birth', 'guests', 'device'] as const;

function rowsOf(file: string): readonly Wanted[] {
  const { header, records, faults } = parseCsv(readFileOf(file));
  const unknown = header.filter((name) => !COLUMNS.includes(name as (typeof COLUMNS)[number]));
  const refused = (line: number, why: string) =>
    pkiError('ERR_CA_CONFLICT', `${file} is no list of devices: line ${line} ${why}`);
  if (unknown.length > 0) throw refused(1, `has other columns than ${COLUMNS.join(', ')}`);
  if (faults[0] !== undefined) throw refused(faults[0].line, faults[0].why);
  return records.map(({ line, fields }) => {
    const field = (name: (typeof COLUMNS)[number]): string => fields[header.indexOf(name)]?.trim() ?? '';
    const device = field('device') || newDevice();
    if (!isDeviceId(device)) throw refused(line, 'has a device that is not 16 hex digits');
    const guests = field('guests')
      .split(/\s+/)
      .filter((name) => name !== '');
    if (!guests.every(isTenantId)) throw refused(line, 'has a guest that is no operator');
    return { line, device, guests, ...identified(field('serial') || undefined, field('birth') || undefined) };
  });
}

function identified(
  serial: string | undefined,
  birth: string | undefined,
): Pick<Wanted, 'serial' | 'birthKey'> {
  return {
    ...(serial === undefined ? {} : { serial }),
    ...(birth === undefined ? {} : { birthKey: birthKeyOf(birth) }),
  };
}

/** Manufacturers have certificates of many shapes: only the key in it counts. */
function birthKeyOf(birth: string): string {
  if (/^[0-9a-f]{64}$/.test(birth)) return birth;
  const bytes = readFileOf(birth);
  try {
    return keyHash(new X509Certificate(bytes).publicKey.export({ type: 'spki', format: 'der' }));
  } catch {
    throw usage(`${birth} is no certificate`);
  }
}

export function readFileOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch {
    throw usage(`${file} cannot be read`);
  }
}
