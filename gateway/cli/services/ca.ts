import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { Authority, ExpiryCounts } from '../../../pki/ca/authority.ts';
import { type OpenedPki, openPki, tenantAuthorities } from '../../../pki/ca/open.ts';
import { readPassphrase } from '../../../pki/encrypted-key.ts';
import { pkiError } from '../../../pki/errors.ts';
import { startEst } from '../../../pki/est/server.ts';
import { readText, withFile } from '../../../pki/files.ts';
import { loadServerKey } from '../../../pki/keys.ts';
import { readPem } from '../../../pki/pem.ts';
import { loadConfig } from '../../runtime/config.ts';
import { watchExpiry } from '../../runtime/expiry.ts';
import type { RunningService, ServiceContext } from '../../runtime/service.ts';
import { caProcessConfig } from './ca-config.ts';
import { createLaggards, endingsOfCa } from './ca-endings.ts';

const DAY_MS = 86_400_000;
/** As many days ahead as a visit to a meter takes to arrange. */
const SOON_MS = 60 * DAY_MS;

export async function start({ log, counters }: ServiceContext, file: string): Promise<RunningService> {
  const config = await loadConfig(caProcessConfig, { file });
  const { tenant, mode } = config;
  const clock = { nowMs: () => Date.now() };
  const { passphraseFile } = config.pki;
  const pki = openPki({
    directory: config.pki.directory,
    nowMs: clock.nowMs(),
    tenants: [tenant],
    ...(passphraseFile === undefined ? {} : { passphrase: readPassphrase(passphraseFile) }),
  });
  checkMode(pki, mode);
  const { register, field, office } = tenantAuthorities(pki, tenant, clock);
  const manufacturers = config.manufacturers.flatMap(manufacturersOf);
  const laggards = createLaggards(log);
  let expiring = 0;
  let counts = field.expiryCounts();
  const round = (): void => {
    publishAll([field, office], (error) => log.error({ err: error }, CRL_FAILED));
    const nowMs = clock.nowMs();
    expiring = register.certificates.countExpiring(nowMs, nowMs + SOON_MS);
    counts = field.expiryCounts();
    laggards(counts, nowMs);
  };
  try {
    const tls = loadServerKey(config.tls, { development: mode === 'development' });
    const est = await startEst({
      authority: field,
      cacerts: [pki.root.certificate.der, field.issuer.certificate.der],
      manufacturers,
      clock,
      notice: (of) => noticeIn(of === tenant ? pki.layout.notice(tenant) : config.notices[of]),
      listen: config.listen,
      tls,
      perMinute: config.perAddressPerMinute,
      count: (name) => counters.count(name),
      onFault: (error) => log.error({ err: error }, 'a request failed here'),
    });
    counters.gauge('ca.expiring', () => expiring);
    for (const name of Object.keys(counts) as (keyof ExpiryCounts)[])
      counters.gauge(`ca.expiring.${name}`, () => counts[name]);
    round();
    const roots = { field: pki.root.certificate.der, office: pki.office?.root };
    const expiry = watchExpiry({
      read: () => endingsOfCa({ field, office, roots, server: tls.cert, manufacturers }),
      clock,
      log,
      counters,
    });
    process.on('SIGHUP', () => {
      round();
      expiry.look();
    });
    const publishing = setInterval(round, config.publishCrlSeconds * 1_000);
    const stop = async (): Promise<void> => {
      clearInterval(publishing);
      expiry.stop();
      await est.stop();
      register.close();
    };
    return { details: { tenant, port: est.port }, stop };
  } catch (error) {
    register.close();
    throw error;
  }
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
