import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { FleetConfig } from '../../../meter-emulator/config.ts';
import { plansOf } from '../../../meter-emulator/input.ts';
import { eanNumber } from '../../../meter-emulator/numbers.ts';
import { deviceIdentityFile, readDeviceIdentity } from '../../../pki/development/development.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { MeterLine } from '../../desk/service/registry-file.ts';

/** The desks of `hes up`: what they are told of the emulated fleet, and where people find them. */

/** Databases outlive a run; ports are this run's, so that a desk that was started again is where it was. */
export interface DeskGround {
  readonly directory: string;
  readonly ports: ReadonlyMap<TenantId, number>;
}

export const deskFolder = (data: string): string => join(data, 'desk');
export const registryFile = (run: string, tenant: TenantId): string => join(run, `registry-${tenant}.jsonl`);

/** The last of the chains and keys of some hundred devices are read before others get a turn. */
const AT_ONCE = 200;

/** What each operator's own systems would know: its meters, with their EANs and the certificates of their devices. */
export async function writeRegistries(options: {
  readonly source: Extract<FleetConfig['source'], { kind: 'emulated' }>;
  readonly tenants: readonly TenantId[];
  /** Under which the devices live. */
  readonly data: string;
  readonly run: string;
}): Promise<void> {
  const { source, tenants, data, run } = options;
  const files = new Map(tenants.map((tenant) => [tenant, openSync(registryFile(run, tenant), 'w', 0o600)]));
  try {
    let read = 0;
    for (const { id, home, guests, meters } of plansOf(source)) {
      const certificate = certificateOf(deviceIdentityFile(join(data, 'devices'), id));
      for (const tenant of [home, ...guests]) {
        const line: MeterLine = {
          device: id,
          home,
          medium: meters[0]!.medium,
          channels: meters.map(({ channel, medium, owner, ordinal }) => ({
            channel,
            medium,
            owner,
            // Each operator knows its own.
            ean: owner === tenant ? eanNumber(owner, ordinal, source.seed) : null,
          })),
          certificate,
        };
        const file = files.get(tenant);
        if (file !== undefined) writeSync(file, `${JSON.stringify(line)}\n`);
      }
      read += 1;
      if (read % AT_ONCE === 0) await setImmediate();
    }
  } finally {
    for (const file of files.values()) closeSync(file);
  }
}

/** What is wrong with a damaged one, its device says itself when it is to be used. */
function certificateOf(file: string): string | null {
  try {
    return readDeviceIdentity(file).agree.certificate;
  } catch (error) {
    if (!isHesError(error, 'ERR_PKI_IDENTITY')) throw error;
    return null;
  }
}

/** What people and other programs on this machine look for: the desks, and the EST of each operator. */
const DESKS_FILE = 'desks.json';
const CAS_FILE = 'cas.json';

type Ports = ReadonlyMap<TenantId, number>;

/** `{ "ores": "https://127.0.0.1:PORT", … }` */
export const urlsOf = (ports: Ports): Readonly<Record<string, string>> =>
  Object.fromEntries([...ports].map(([tenant, port]) => [tenant, `https://127.0.0.1:${port}`]));

/** Whole or not at all, and only while all of them are up; the desks last, since those are waited for. */
export function publishAddresses(
  data: string,
  { desks, cas }: { readonly desks: Ports; readonly cas: Ports | undefined },
): void {
  if (cas !== undefined) publish(join(data, CAS_FILE), cas);
  publish(join(data, DESKS_FILE), desks);
}

function publish(file: string, ports: Ports): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(urlsOf(ports))}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** At the end, and at the start for one that was killed. */
export function withdrawAddresses(data: string): void {
  for (const name of [DESKS_FILE, CAS_FILE]) rmSync(join(data, name), { force: true });
}

export function makeDeskFolder(data: string): string {
  const directory = deskFolder(data);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return directory;
}
