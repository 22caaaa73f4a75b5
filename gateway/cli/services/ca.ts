import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Authority, ExpiryCounts } from '../../../pki/ca/authority.ts';
import { type OpenedPki, openPki, tenantAuthorities } from '../../../pki/ca/open.ts';
import { pkiError } from '../../../pki/errors.ts';
import { startEst } from '../../../pki/est/server.ts';
import { readText, withFile } from '../../../pki/files/files.ts';
import { type PkiLayout, pkiLayout } from '../../../pki/files/layout.ts';
import { readPassphrase } from '../../../pki/keys/encrypted-key.ts';
import { loadServerKey } from '../../../pki/keys/keys.ts';
import { checkServerKey } from '../../../pki/keys/server-key.ts';
import { publishNotice } from '../../../pki/notice/file.ts';
import { readPem } from '../../../pki/x509/pem.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { loadConfig } from '../../runtime/config.ts';
import { watchExpiry } from '../../runtime/expiry.ts';
import { ServerKeyFiles } from '../../runtime/server-key.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { caProcessConfig } from './ca-config.ts';
import { createLaggards, endingsOfCa } from './ca-endings.ts';
import { createRolloverTending } from './ca-rollover.ts';

const DAY_MS = 86_400_000;
/** As many days ahead as a visit to a meter takes to arrange. */
const SOON_MS = 60 * DAY_MS;

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const config = await loadConfig(caProcessConfig, { file });
  const { tenant, mode } = config;
  const clock = { nowMs: () => Date.now() };
  const { passphraseFile } = config.pki;
  const layout = pkiLayout(resolve(config.pki.directory));
  const open = (): OpenedPki =>
    openPki({
      directory: config.pki.directory,
      nowMs: clock.nowMs(),
      tenants: [tenant],
      ...(passphraseFile === undefined ? {} : { passphrase: readPassphrase(passphraseFile) }),
    });
  const openAll = () => {
    // Before it is opened: what changes meanwhile is seen at the next look.
    const stamp = stampOf(layout, tenant);
    const pki = open();
    checkMode(pki, mode);
    return { pki, stamp, ...tenantAuthorities(pki, tenant, clock) };
  };
  let opened = openAll();
  const tend = createRolloverTending({ open, tenant, clock, by: 'ca' }, { log, counters });
  const manufacturers = config.manufacturers.flatMap(manufacturersOf);
  const laggards = createLaggards(log);
  let expiring = 0;
  let counts = opened.field.expiryCounts();
  const publish = (): void => {
    const { pki, field, office, register } = opened;
    const failed = (error: unknown): void => log.error({ err: error }, CRL_FAILED);
    publishAll([field, office], failed);
    const nowMs = clock.nowMs();
    try {
      publishNotice(pki, tenant, opened, { nowMs, by: 'ca' });
    } catch (error) {
      log.error({ err: error }, 'the notice to devices cannot be published; the one in its place stays');
    }
    expiring = register.certificates.countExpiring(nowMs, nowMs + SOON_MS);
    counts = field.expiryCounts();
    laggards(counts, nowMs);
  };
  try {
    const serverKey = new ServerKeyFiles({
      files: config.tls,
      read: () => loadServerKey(config.tls, { development: mode === 'development' }),
      check: (renewed) => checkServerKey(renewed, { root: opened.pki.root.pem, nowMs: clock.nowMs() }),
      log,
    });
    const serve = ({ pki, field, stamp }: typeof opened, port: number) =>
      startEst({
        authority: field,
        cacerts: [pki.root.certificate.der, field.issuer.certificate.der],
        manufacturers,
        clock,
        isPresent() {
          const present = stampOf(layout, tenant) === stamp;
          if (!present) void round();
          return present;
        },
        notice: (of) => noticeIn(of === tenant ? pki.layout.notice(tenant) : config.notices[of]),
        listen: { ...config.listen, port },
        tls: serverKey.inForce,
        perMinute: config.perAddressPerMinute,
        count: (name) => counters.count(name),
        onFault: (error) => log.error({ err: error }, 'a request failed here'),
      });
    let est = await serve(opened, config.listen.port);
    serverKey.serve((renewed) => est.setServerKey(renewed));
    const { port } = est;
    /** After a step of a roll-over, by this process or by somebody at a terminal: other CAs, at the same address. */
    const reopen = async (): Promise<void> => {
      if (stampOf(layout, tenant) === opened.stamp) return;
      const next = openAll();
      await est.stop();
      est = await serve(next, port);
      opened.register.close();
      opened = next;
      log.info({ tenant }, 'the CAs of a roll-over are open');
    };
    let rounds: Promise<void> = Promise.resolve();
    const round = (): Promise<void> => {
      rounds = rounds
        .then(async () => {
          if (existsSync(opened.pki.layout.rollover(tenant))) tend();
          await reopen();
          serverKey.renew();
          publish();
        })
        .catch((error: unknown) =>
          log.error({ err: error }, 'a round of the CA failed here; the next one comes'),
        );
      return rounds;
    };
    counters.gauge('ca.expiring', () => expiring);
    for (const name of Object.keys(counts) as (keyof ExpiryCounts)[])
      counters.gauge(`ca.expiring.${name}`, () => counts[name]);
    await round();
    const expiry = watchExpiry({
      read: () => {
        const { pki, field, office } = opened;
        const roots = { field: pki.root.certificate.der, office: pki.office?.root };
        return endingsOfCa({ field, office, roots, server: serverKey.inForce.cert, manufacturers });
      },
      clock,
      log,
      counters,
    });
    process.on('SIGHUP', () => {
      void round().then(() => expiry.look());
    });
    const publishing = setInterval(() => void round(), config.publishCrlSeconds * 1_000);
    const stop = async (): Promise<void> => {
      clearInterval(publishing);
      expiry.stop();
      await rounds;
      await est.stop();
      opened.register.close();
    };
    return { details: { tenant, port }, stop };
  } catch (error) {
    opened.register.close();
    throw error;
  }
}

/** Says another thing once a CA or the sealing key of devices is another. */
function stampOf(layout: PkiLayout, tenant: TenantId): string {
  const files = [
    layout.issuing(tenant).certificate,
    layout.office.issuing(tenant).certificate,
    layout.manifest,
  ];
  return files.map((name) => readText(name)).join('\n');
}

const CRL_FAILED = 'a revocation list cannot be published; the one in its place stays';

/** Each by itself: a damaged list of the office keeps no device waiting. */
function publishAll(authorities: readonly Authority[], failed: (error: unknown) => void): void {
  for (const authority of authorities)
    try {
      authority.publishCrl('ca');
    } catch (error) {
      failed(error);
    }
}

/** As it lies there now: its operator puts another in its place when something changes. */
function noticeIn(file: string | undefined): Uint8Array | undefined {
  if (file === undefined || statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
  return withFile(file, () => readFileSync(file));
}

function checkMode({ development }: OpenedPki, mode: 'production' | 'development'): void {
  if (development && mode !== 'development')
    throw pkiError(
      'ERR_TRUST_DEVELOPMENT',
      'this is a development PKI: name the production PKI, or say mode: development',
    );
}

function manufacturersOf(file: string): X509Certificate[] {
  return withFile(file, () => readPem('CERTIFICATE', readText(file)).map((der) => new X509Certificate(der)));
}
