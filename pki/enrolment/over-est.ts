import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { checkCertificate } from '../device.ts';
import { pkiError } from '../errors.ts';
import { type EstCredential, estClient } from '../est/client.ts';
import { fetchRoot } from '../est/client-root.ts';
import type { DeviceIdentity, KeyAndCertificate } from '../identity.ts';
import { applyNotice } from '../notice/apply.ts';
import { derOf } from '../x509/pem.ts';
import { enrolledAlready, identityThere, placeIdentity, rootFingerprint } from './answer-accept.ts';
import { CREDENTIAL_NAMES, type CredentialName } from './request.ts';
import { beginEnrolment, type PendingEnrolment, readPending } from './request-pending.ts';

/** First enrolment over EST (docs/adr/0181): three keys of the device's own, and all that it has to know beside them. */
export interface EnrolOptions {
  readonly url: string;
  readonly servername?: string | undefined;
  /** The field root (PEM), or the hex SHA-256 of its DER: whoever can slip in another reads the meter. */
  readonly root: { readonly pem: string } | { readonly fingerprint: string };
  readonly by: EstCredential;
  readonly home: TenantId;
  /** Tenants that the device has to be enrolled for; others of the operator's register are taken, too. */
  readonly guests: readonly TenantId[];
  readonly atMs: number;
  readonly development: boolean;
  /** Told of each step that was done. */
  readonly onStep?: (what: string) => void;
}

/**
 * Make the keys, or go on with those that are there, have each certified, learn the owners' keys and offices by their
 * notices, and put the identity in its place. Whenever the power is cut, the same again ends in the same device: keys
 * that were written down are answered with the certificates that they were answered with before.
 *
 * @throws ERR_EST_*, ERR_ENROL_*, ERR_TRUST_*, ERR_NOTICE_*, ERR_PKI_*
 */
export async function enrolOverEst(
  identityFile: string,
  options: EnrolOptions,
): Promise<{ readonly identity: DeviceIdentity; readonly again: boolean }> {
  const { url, servername, by, home, guests, onStep = () => undefined } = options;
  const finished = finishedBefore(identityFile);
  if (finished !== undefined) return { identity: finished, again: true };
  const fingerprint = 'pem' in options.root ? rootFingerprint(options.root.pem) : options.root.fingerprint;
  const { pending, continued } = await beginEnrolment(identityFile, { home, guests, root: fingerprint });
  onStep(continued ? 'going on with the keys of this device' : 'three keys were made');
  const root = 'pem' in options.root ? options.root.pem : await fetchRoot({ url, servername }, fingerprint);
  const client = estClient({ url, servername, root });
  try {
    const { certificates: authorities } = await client.cacerts();
    const pairs: Partial<Record<CredentialName, KeyAndCertificate>> = {};
    let named: Pick<DeviceIdentity, 'device' | 'home' | 'guests'> | undefined;
    for (const name of CREDENTIAL_NAMES) {
      const request = derOf('CERTIFICATE REQUEST', pending.request[name]);
      const certificate = await client.simpleenroll(name, request, by);
      const { certificate: pem, ...about } = checkCertificate(
        { name, key: pending.keys[name], certificate, authorities },
        { ...options, root },
      );
      checkSame(named, about);
      named = about;
      pairs[name] = { key: pending.keys[name], certificate: pem };
      onStep(`the key ${name} is certified`);
    }
    const { device, guests: enrolledFor } = named!;
    checkGuests(guests, enrolledFor);
    const { tls, sign, agree } = pairs as Record<CredentialName, KeyAndCertificate>;
    let identity: DeviceIdentity = {
      version: 1,
      device,
      home,
      guests: enrolledFor,
      tls,
      sign,
      agree,
      root,
      owners: {},
    };
    for (const tenant of [home, ...enrolledFor]) {
      const { atMs, development } = options;
      identity = applyNotice(identity, await client.notice(tenant), { tenant, atMs, development });
      onStep(`the sealing key and the office of ${tenant} are known`);
    }
    placeIdentity(identityFile, identity, ({ device: other }) => other === device);
    return { identity, again: false };
  } finally {
    client.close();
  }
}

/** The process before this one had put it in its place, and was cut off before it had tidied. */
function finishedBefore(identityFile: string): DeviceIdentity | undefined {
  const identity = identityThere(identityFile);
  if (identity === undefined) return undefined;
  const pending = readPending(identityFile);
  if (pending === undefined || !isOf(pending, identity)) throw enrolledAlready(identityFile, identity);
  placeIdentity(identityFile, identity, () => true);
  return identity;
}

const isOf = ({ keys }: PendingEnrolment, identity: DeviceIdentity): boolean =>
  CREDENTIAL_NAMES.every((name) => keys[name] === identity[name].key);

function checkSame(
  before: { readonly device: DeviceId; readonly guests: readonly TenantId[] } | undefined,
  now: { readonly device: DeviceId; readonly guests: readonly TenantId[] },
): void {
  if (before === undefined) return;
  if (before.device !== now.device || [...before.guests].sort().join() !== [...now.guests].sort().join())
    throw pkiError('ERR_ENROL_ANSWER', 'the certificates that were answered are of different devices');
}

function checkGuests(asked: readonly TenantId[], enrolledFor: readonly TenantId[]): void {
  const missing = asked.filter((tenant) => !enrolledFor.includes(tenant));
  if (missing.length > 0)
    throw pkiError(
      'ERR_ENROL_ANSWER',
      `the operator has registered this device without ${missing.join(', ')}: have it registered with them`,
    );
}
