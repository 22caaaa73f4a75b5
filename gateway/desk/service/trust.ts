import { readFile } from 'node:fs/promises';
import {
  checkServerKey,
  createDeviceTrust,
  createOfficeTrust,
  type DeviceTrust,
  type Ending,
  endOfCertificate,
  loadDeskServerKey,
  type OfficeTrust,
  type PinnedIssuer,
} from '../../../pki/trust.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { checkNoticeSize } from '../../../protocol/notice.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { type ServerKey, ServerKeyFiles } from '../../runtime/server-key.ts';
import type { CallerTrust } from '../api/server.ts';
import type { DeviceAgreement, DeviceKeys, SignerTrust } from '../context.ts';
import { deskError } from '../errors.ts';
import type { DeskConfig } from './config.ts';

/** Whom a desk believes, from its files: people of its office, devices of its field. Neither passes for the other. */
export interface DeskTrust {
  readonly signer: SignerTrust;
  readonly caller: CallerTrust;
  readonly deviceKeys: DeviceKeys;
  readonly deviceAgreement: DeviceAgreement;
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  /** What ends by itself: the certificate of the API, the CAs of office and field, and their lists. */
  readonly endings: readonly Ending[];
  /** What devices are told before each command; undefined where there is nothing. */
  readonly notice: () => Uint8Array | undefined;
  /** Read CAs, revocation lists, the notice and the own certificate now. */
  reload(): Promise<void>;
  /** `people` is called each time that other lists of the office are in force: somebody may not be believed any more. */
  onRenewed(people: () => void): void;
  /** `put` is called each time that the own certificate is another. */
  onServerKey(put: (renewed: ServerKey) => void): void;
  close(): void;
}

const HOUR_MS = 3_600_000;

const read = (file: string): Promise<string> => readFile(file, 'utf8');
const readAll = (files: readonly string[]): Promise<string[]> => Promise.all(files.map(read));

/** @throws ERR_TRUST_*, ERR_PKI_*, and what reading the files throws */
export async function openTrust(config: DeskConfig, clock: Clock, log: Log): Promise<DeskTrust> {
  const { tenant, office, field, reloadSeconds } = config;
  const crlGraceMs = config.crlGraceHours * HOUR_MS;
  const development = config.mode === 'development';
  const officeRoot = await read(office.root);
  const officeIssuers = async () =>
    (await readAll(office.issuing)).map((certificate) => ({ tenant, certificate }));
  const fieldIssuers = () =>
    Promise.all(
      field.issuers.map(async (issuer) => ({
        tenant: issuer.tenant,
        certificate: await read(issuer.certificate),
      })),
    );
  const people = createOfficeTrust({
    root: officeRoot,
    issuers: await officeIssuers(),
    crls: await readAll(office.revocations),
    crlGraceMs,
    development,
    clock,
  });
  const devices = createDeviceTrust({
    tenant,
    root: await read(field.root),
    issuers: await fieldIssuers(),
    crls: await readAll(field.revocations),
    crlGraceMs,
    development,
  });
  const notice = new NoticeFile(field.notice, log);
  await notice.reload();
  const serverKey = new ServerKeyFiles({
    files: config.tls,
    read: () => loadDeskServerKey(config.tls, { tenant, development }),
    check: (renewed) => checkServerKey(renewed, { root: officeRoot, nowMs: clock.nowMs() }),
    log,
  });
  let renewed = (): void => undefined;
  const lists = [
    new CurrentTrust(people, { issuers: officeIssuers, lists: office.revocations }, log, () => renewed()),
    new CurrentTrust(devices, { issuers: fieldIssuers, lists: field.revocations }, log),
    notice,
  ];
  const reload = async (): Promise<void> => {
    serverKey.renew();
    for (const each of lists) await each.reload();
  };
  const timer = setInterval(() => void reload(), reloadSeconds * 1_000).unref();
  return {
    signer(certificate) {
      const { publicKey, role, person, ...named } = people.signer(certificate);
      checkTenant(named.tenant, tenant);
      return { publicKey, signer: { role, person } };
    },
    caller: (certificate) => people.caller(certificate),
    deviceKeys: (certificate, device) => devices.signer(certificate, { device, atMs: clock.nowMs() }),
    deviceAgreement: (certificate, device) => devices.agreement(certificate, { device, atMs: clock.nowMs() }),
    tls: { ...serverKey.inForce, ca: officeRoot },
    get endings() {
      const notAfterMs = endOfCertificate(serverKey.inForce.cert);
      const server = { kind: 'certificate', what: 'server', notAfterMs } as const;
      return [server, ...people.endings, ...devices.endings];
    },
    notice: () => notice.bytes,
    reload,
    onRenewed(people) {
      renewed = people;
    },
    onServerKey: (put) => serverKey.serve(put),
    close: () => clearInterval(timer),
  };
}

function checkTenant(named: TenantId, tenant: TenantId): void {
  if (named !== tenant)
    throw deskError('ERR_DESK_CALLER', `a signer of ${named} commands nothing of ${tenant}`);
}

/** A CA or list that is missing or wrong is logged, and those in force stay: trust never widens by accident. */
class CurrentTrust {
  readonly #trust: OfficeTrust | DeviceTrust;
  readonly #files: { readonly issuers: () => Promise<PinnedIssuer[]>; readonly lists: readonly string[] };
  readonly #log: Log;
  readonly #renewed: () => void;
  #issuers: string | undefined;
  #lists = '';
  #reading: Promise<void> = Promise.resolve();

  constructor(
    trust: OfficeTrust | DeviceTrust,
    files: { readonly issuers: () => Promise<PinnedIssuer[]>; readonly lists: readonly string[] },
    log: Log,
    renewed: () => void = () => undefined,
  ) {
    this.#trust = trust;
    this.#files = files;
    this.#log = log;
    this.#renewed = renewed;
  }

  reload(): Promise<void> {
    // One after the other: an older list must not overtake a newer one.
    this.#reading = this.#reading.then(() => this.#reloadNow());
    return this.#reading;
  }

  async #reloadNow(): Promise<void> {
    try {
      const issuers = await this.#files.issuers();
      const crls = await readAll(this.#files.lists);
      const pinned = issuers.map(({ tenant, certificate }) => `${tenant}\n${certificate}`).join('\n');
      const lists = crls.join('\n');
      // At the first look nothing is known of what was read at the start.
      const others = pinned !== this.#issuers;
      if (!others && lists === this.#lists) return;
      if (others) this.#trust.replace({ issuers, crls });
      else this.#trust.replaceCrls(crls);
      this.#issuers = pinned;
      this.#lists = lists;
    } catch (error) {
      this.#log.error(
        { err: error },
        'issuing CAs and revocation lists cannot be renewed; the old ones stay in force',
      );
      return;
    }
    this.#renewed();
  }
}

/** The notice as its file says it now; none where there is no file, and the one before where it cannot be read. */
class NoticeFile {
  readonly #file: string | undefined;
  readonly #log: Log;
  bytes: Uint8Array | undefined;

  constructor(file: string | undefined, log: Log) {
    this.#file = file;
    this.#log = log;
  }

  async reload(): Promise<void> {
    if (this.#file === undefined) return;
    try {
      const bytes = await readFile(this.#file);
      checkNoticeSize(bytes);
      this.bytes = bytes;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') this.bytes = undefined;
      else this.#log.error({ err: error }, 'the notice to devices cannot be read; the one before stays');
    }
  }
}
