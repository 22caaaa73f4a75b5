import { readFile } from 'node:fs/promises';
import { createDeviceTrust, type DeviceTrust } from '../../pki/trust.ts';
import type { Log } from '../runtime/log.ts';
import type { RouterConfig } from './config.ts';

const HOUR_MS = 3_600_000;

/**
 * The trust of a router, from its files; issuing CAs and revocation lists are read again every `reloadSeconds`, and
 * whatever else `others` reads.
 * A new list that is missing or wrong is logged and the one in force stays: trust never widens by accident.
 * @throws what reading the files and `createDeviceTrust` throw
 */
export async function openTrust(
  config: RouterConfig,
  log: Log,
  others: () => Promise<void> = async () => undefined,
): Promise<{ readonly trust: DeviceTrust; reload(): Promise<void>; close(): void }> {
  const { tenant, mode } = config;
  const { root, issuers, revocations, reloadSeconds, crlGraceHours } = config.trust;
  const readLists = () => Promise.all(revocations.map((file) => readFile(file, 'utf8')));
  const readIssuers = () =>
    Promise.all(
      issuers.map(async (issuer) => ({
        tenant: issuer.tenant,
        certificate: await readFile(issuer.certificate, 'utf8'),
      })),
    );
  let inForce = await readLists();
  let issuersInForce = await readIssuers();
  const trust = createDeviceTrust({
    tenant,
    root: await readFile(root, 'utf8'),
    issuers: issuersInForce,
    crls: inForce,
    crlGraceMs: crlGraceHours * HOUR_MS,
    development: mode === 'development',
  });

  let reading: Promise<void> = Promise.resolve();
  const reloadNow = async (): Promise<void> => {
    try {
      const lists = await readLists();
      const pinned = await readIssuers();
      const others = pinned.some(({ certificate }, at) => certificate !== issuersInForce[at]?.certificate);
      if (!others && lists.every((list, at) => list === inForce[at])) return;
      if (others) {
        trust.replace({ issuers: pinned, crls: lists });
        log.info({}, 'other issuing CAs are in force');
      } else trust.replaceCrls(lists);
      issuersInForce = pinned;
      inForce = lists;
      log.info({ revoked: trust.revocations.size }, 'new revocation lists are in force');
    } catch (error) {
      log.error(
        { err: error },
        'issuing CAs and revocation lists cannot be renewed; the old ones stay in force',
      );
    }
  };
  // One after the other: an older list must not overtake a newer one.
  const reload = (): Promise<void> => {
    // New CAs and keys are in force before devices are told of them.
    reading = reading.then(reloadNow).then(others);
    return reading;
  };
  const timer = setInterval(() => void reload(), reloadSeconds * 1_000).unref();
  return { trust, reload, close: () => clearInterval(timer) };
}
