import { createHash } from 'node:crypto';
import { dirname } from 'node:path';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { placeNew, readTextIfThere, sweepBeside, syncFolder } from '../files/files.ts';
import { type DeviceIdentity, type OfficeAnchors, parseDeviceIdentity } from '../identity.ts';
import { checkVouched } from '../office/anchors.ts';
import { pinAuthorities } from '../verify/anchors.ts';
import { DeviceVerifier } from '../verify/device-certificate.ts';
import { Ground } from '../verify/ground.ts';
import { recipientOf } from '../verify/sealing.ts';
import { equalBytes } from '../x509/der.ts';
import { derOf, readPem } from '../x509/pem.ts';
import { type EnrolmentAnswer, parseEnrolmentAnswer } from './answer.ts';
import { asRefused, CREDENTIAL_NAMES, CREDENTIALS, type CredentialName } from './request.ts';
import { type PendingEnrolment, publicKeysOf, readPending, removePending } from './request-pending.ts';

export interface AcceptOptions {
  /** Hex SHA-256 of the field root (DER) that the installer confirms, where the request did not pin one. */
  readonly root: string | null;
  readonly atMs: number;
  readonly development: boolean;
}

/** Hex SHA-256 over the certificate's DER: what `openssl x509 -fingerprint -sha256` prints, without the colons. */
export const rootFingerprint = (root: string): string =>
  createHash('sha256')
    .update(asRefused('ERR_ENROL_ROOT', 'the field root is no certificate', () => derOf('CERTIFICATE', root)))
    .digest('hex');

/**
 * Take the answer to this device's request: check it, write the identity, remove the pending keys. Whenever the power
 * is cut, the same answer given again ends in the same identity.
 *
 * @throws ERR_ENROL_ANSWER, ERR_ENROL_ROOT, ERR_ENROL_PENDING, ERR_ENROL_EXISTS, ERR_TRUST_*, ERR_PKI_DAMAGED,
 *   ERR_PKI_RIGHTS
 */
export function acceptAnswer(
  identityFile: string,
  text: string,
  options: AcceptOptions,
): { readonly identity: DeviceIdentity; readonly again: boolean } {
  const answer = parseEnrolmentAnswer(text);
  const there = identityThere(identityFile);
  if (there !== undefined) {
    if (!isIdentityOf(there, answer)) throw enrolledAlready(identityFile, there);
    tidy(identityFile, there);
    return { identity: there, again: true };
  }
  const pending = readPending(identityFile);
  if (pending === undefined)
    throw pkiError('ERR_ENROL_PENDING', `no request is pending beside ${identityFile}: make one first`, {
      context: { file: identityFile },
    });
  const identity = identityOf(answer, pending, options);
  placeIdentity(identityFile, identity, (other) => isIdentityOf(other, answer));
  return { identity, again: false };
}

/** Put a new identity in its place, and then remove the keys that waited for it. @throws ERR_ENROL_EXISTS, ERR_PKI_* */
export function placeIdentity(
  identityFile: string,
  identity: DeviceIdentity,
  isSame: (other: DeviceIdentity) => boolean,
): void {
  if (!placeNew(identityFile, `${JSON.stringify(identity)}\n`)) {
    const other = identityThere(identityFile);
    if (other === undefined || !isSame(other)) throw enrolledAlready(identityFile, other);
  }
  sweepBeside(identityFile);
  removePending(identityFile);
}

/**
 * The identity in this place, if any, tidied of what a power cut left beside it.
 * @throws ERR_PKI_IDENTITY, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS
 */
export function enrolledIdentity(identityFile: string): DeviceIdentity | undefined {
  const identity = identityThere(identityFile);
  if (identity !== undefined) tidy(identityFile, identity);
  return identity;
}

export const enrolledAlready = (file: string, identity: DeviceIdentity | undefined) =>
  pkiError(
    'ERR_ENROL_EXISTS',
    `${file} is ${identity === undefined ? 'there' : `the identity of device ${identity.device}`} already: move it away to enrol anew`,
    { context: { file } },
  );

/** The identity that is there, untouched. @throws ERR_PKI_IDENTITY, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function identityThere(file: string): DeviceIdentity | undefined {
  const text = readTextIfThere(file);
  if (text === undefined) return undefined;
  // The power may have been cut between the link and the flush of the folder.
  syncFolder(dirname(file));
  try {
    return parseDeviceIdentity(text);
  } catch (cause) {
    throw pkiError('ERR_PKI_IDENTITY', `${file} is damaged: move it away to enrol anew`, {
      cause,
      context: { file },
    });
  }
}

const isIdentityOf = (identity: DeviceIdentity, answer: EnrolmentAnswer): boolean =>
  identity.device === answer.device &&
  CREDENTIAL_NAMES.every((name) => identity[name].certificate === answer[name]);

function tidy(identityFile: string, identity: DeviceIdentity): void {
  sweepBeside(identityFile);
  const pending = readPending(identityFile);
  if (pending !== undefined && CREDENTIAL_NAMES.every((name) => pending.keys[name] === identity[name].key))
    removePending(identityFile);
}

/**
 * The answer and the pending keys, made one, after every check that a device will make later, made now while the
 * installer stands beside it.
 */
export function identityOf(
  answer: EnrolmentAnswer,
  pending: PendingEnrolment,
  options: AcceptOptions,
): DeviceIdentity {
  const { request } = pending;
  const { device, home, guests, root } = answer;
  if (answer.request !== request.request) throw wrongAnswer('it answers another request');
  if (home !== request.home || guests.join() !== request.guests.join())
    throw wrongAnswer('it is for other tenants than were asked for');
  checkRoot(root, request.root, options.root);
  const ground = asRefused(
    'ERR_ENROL_ANSWER',
    'the CA certificates of the answer are damaged',
    () =>
      new Ground({
        root,
        issuers: [{ tenant: home, certificate: answer.issuer }],
        development: options.development,
      }),
  );
  const spkis = publicKeysOf(pending);
  for (const name of CREDENTIAL_NAMES) checkCredential(answer, name, spkis[name], ground, options.atMs);
  checkOwners(answer, options);
  const office = checkedOffice(answer, options);
  const credential = (name: CredentialName) => ({ key: pending.keys[name], certificate: answer[name] });
  return {
    version: 1,
    device,
    home,
    guests,
    tls: credential('tls'),
    sign: credential('sign'),
    agree: credential('agree'),
    root,
    owners: answer.owners,
    ...(office === undefined ? {} : { office }),
  };
}

const wrongAnswer = (why: string) =>
  pkiError('ERR_ENROL_ANSWER', `the answer does not fit this device: ${why}`);

/** Whoever can slip in a root can read the meter: one that nobody has confirmed is not taken. */
function checkRoot(root: string, pinned: string | null, confirmed: string | null): void {
  const fingerprint = rootFingerprint(root);
  if (pinned === null && confirmed === null)
    throw pkiError(
      'ERR_ENROL_ROOT',
      `nobody has confirmed the field root of this answer. Its fingerprint (SHA-256) is ${fingerprintText(fingerprint)}: compare it with the one that the operator published, and say it with --root-fingerprint`,
      { context: { fingerprint } },
    );
  for (const expected of [pinned, confirmed])
    if (expected !== null && expected !== fingerprint)
      throw pkiError('ERR_ENROL_ROOT', 'the answer comes with another field root than the one confirmed', {
        context: { fingerprint },
      });
}

/** In pairs, as people compare them. */
export const fingerprintText = (fingerprint: string): string =>
  fingerprint.toUpperCase().match(/../g)!.join(':');

function checkCredential(
  answer: EnrolmentAnswer,
  name: CredentialName,
  spki: Uint8Array,
  ground: Ground,
  atMs: number,
): void {
  const der = asRefused('ERR_ENROL_ANSWER', `the certificate ${name} is damaged`, () =>
    derOf('CERTIFICATE', answer[name]),
  );
  const verifier = new DeviceVerifier(ground, {
    profile: CREDENTIALS[name],
    cachedMax: 1,
    keep: (x509) => x509.publicKey.export({ type: 'spki', format: 'der' }),
  });
  const verified = verifier.verify(der, atMs);
  if (!equalBytes(verified.key, spki)) throw wrongAnswer(`the certificate ${name} is for another key`);
  if (verified.device !== answer.device || verified.home !== answer.home)
    throw wrongAnswer(`the certificate ${name} names another device`);
  if (!sameTenants(verified.guests, answer.guests))
    throw wrongAnswer(`the certificate ${name} names other guests`);
}

function checkOwners(answer: EnrolmentAnswer, { atMs, development }: AcceptOptions): void {
  const tenants = [answer.home, ...answer.guests];
  if (!sameTenants(Object.keys(answer.owners) as TenantId[], tenants))
    throw wrongAnswer('it holds the sealing keys of other tenants');
  for (const tenant of tenants) {
    const owner = answer.owners[tenant]!;
    const { kid } = recipientOf(owner.certificate, { tenant, root: answer.root, atMs, development });
    if (Buffer.from(kid).toString('hex') !== owner.kid)
      throw wrongAnswer(`the sealing key of ${tenant} has another name`);
  }
}

/** The owners' certificates have been checked up to the field root, and with them those of the field CAs. */
function checkedOffice(answer: EnrolmentAnswer, options: AcceptOptions): OfficeAnchors | undefined {
  const { office, root, owners, home, guests } = answer;
  if (office === undefined) return undefined;
  const { atMs, development } = options;
  const issuers = [home, ...guests].map((tenant) => ({
    tenant,
    certificate: readPem('CERTIFICATE', owners[tenant]!.certificate)[1]!,
  }));
  const field = pinAuthorities({ root, issuers, development });
  const fieldKeys = new Map(
    [...field.authorities.values()].map(({ tenant, publicKey }) => [tenant, publicKey]),
  );
  return asRefused('ERR_ENROL_ANSWER', 'the office certificates of the answer are damaged', () =>
    checkVouched(office, { fieldKeys, atMs, development }),
  );
}

const sameTenants = (one: readonly TenantId[], other: readonly TenantId[]): boolean =>
  one.length === other.length && [...one].sort().join() === [...other].sort().join();
