import { dirname } from 'node:path';
import { type DeviceId, deviceUri } from '../../protocol/identity.ts';
import type { DevelopmentPki } from '../development/development-pki.ts';
import { issuersFor, newDeviceId } from '../development/devices.ts';
import { CLOCK_SKEW_MS } from '../development/making.ts';
import { pkiError } from '../errors.ts';
import { readCrlFile } from '../files/crl-file.ts';
import { makeFolder, placeNew, readText, readTextIfThere, syncFolder, withFile } from '../files/files.ts';
import type { VouchedOffice } from '../office/anchors.ts';
import { vouchedOffice } from '../office/development.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { certify } from '../x509/certify.ts';
import { derOf, toPem } from '../x509/pem.ts';
import { type EnrolmentAnswer, parseEnrolmentAnswer } from './answer.ts';
import { CREDENTIAL_NAMES, CREDENTIALS, type CredentialName, documentText } from './request.ts';
import { type CheckedEnrolment, keyHash } from './request-check.ts';

export interface IssueOptions {
  readonly nowMs: number;
  /** Chosen by the operator, for a device whose keys were lost; a fresh random pseudonym where it is left out. */
  readonly device?: DeviceId;
}

/**
 * Certify a device's keys, and write it into the register, before anything is answered. A request that was answered
 * before gets the same certificates again, with the sealing keys and the office of today: one request is one device, whenever this
 * process is killed.
 *
 * @throws ERR_PKI_TENANT, ERR_ENROL_KEY (a key that came with another request, or was revoked), ERR_ENROL_REQUEST,
 *   ERR_PKI_DAMAGED, ERR_PKI_RIGHTS
 */
export function answerEnrolment(
  pki: DevelopmentPki,
  checked: CheckedEnrolment,
  options: IssueOptions,
): { readonly answer: EnrolmentAnswer; readonly again: boolean } {
  const { request } = checked.request;
  const file = pki.layout.register.answer(request);
  const before = readTextIfThere(file);
  if (before !== undefined) {
    // It may have been placed by a process that was killed before the folder was on the disk.
    syncFolder(dirname(file));
    return { answer: sameAnswer(pki, before, checked, options), again: true };
  }
  // Everything that can be refused is refused before anything is written.
  const answer = issue(pki, checked, options);
  makeFolder(dirname(file), true);
  claimKeys(pki, checked);
  if (placeNew(file, documentText(answer))) return { answer, again: false };
  return { answer: sameAnswer(pki, readText(file), checked, options), again: true };
}

function issue(
  pki: DevelopmentPki,
  { request, spkis }: CheckedEnrolment,
  { nowMs, device = newDeviceId() }: IssueOptions,
): EnrolmentAnswer {
  const { home, guests, root } = request;
  const { authority, owners } = issuersFor(pki, home, guests);
  if (root !== null && root !== keyHash(pki.root.certificate.der))
    throw pkiError('ERR_ENROL_REQUEST', 'the device was told to take another field root than this one');
  const uris = [home, ...guests].map((tenant) => deviceUri(tenant, device));
  const certificate = (name: CredentialName): string =>
    toPem(
      'CERTIFICATE',
      certify(authority, {
        profile: CREDENTIALS[name],
        subject: { commonName: device },
        names: { uris },
        spki: spkis[name],
        notBeforeMs: nowMs - CLOCK_SKEW_MS,
      }),
    );
  return {
    type: 'hes-enrolment-answer',
    version: 1,
    request: request.request,
    device,
    home,
    guests,
    tls: certificate('tls'),
    sign: certificate('sign'),
    agree: certificate('agree'),
    issuer: authority.certificatePem,
    root: pki.root.pem,
    owners,
    ...officeOf(pki, request),
  };
}

/** What the device will believe commands by. */
function officeOf(
  { office }: DevelopmentPki,
  { home, guests }: Pick<EnrolmentAnswer, 'home' | 'guests'>,
): Pick<EnrolmentAnswer, 'office'> {
  return office === undefined ? {} : { office: vouchedOffice(office, [home, ...guests]) };
}

/** The office of today; that of the first answer, to the byte, where it is the same: signatures are random. */
function officeAgain(pki: DevelopmentPki, answer: EnrolmentAnswer): Pick<EnrolmentAnswer, 'office'> {
  const { office: now } = officeOf(pki, answer);
  const { office: then } = answer;
  const anchors = (office: VouchedOffice) =>
    JSON.stringify([office.root, Object.entries(office.issuers).sort()]);
  const same = now !== undefined && then !== undefined && anchors(now) === anchors(then);
  return now === undefined || same ? {} : { office: now };
}

/** A key belongs to one request for good: a device that was copied would otherwise become two under one key. */
function claimKeys(pki: DevelopmentPki, { request, spkis }: CheckedEnrolment): void {
  for (const name of CREDENTIAL_NAMES) {
    const file = pki.layout.register.key(keyHash(spkis[name]));
    makeFolder(dirname(file), true);
    if (placeNew(file, `${request.request}\n`)) continue;
    if (readText(file).trim() !== request.request)
      throw pkiError('ERR_ENROL_KEY', `the key ${name} came with another request before`);
  }
}

function sameAnswer(
  pki: DevelopmentPki,
  text: string,
  { request }: CheckedEnrolment,
  { device }: IssueOptions,
): EnrolmentAnswer {
  const { home, guests } = request;
  const file = pki.layout.register.answer(request.request);
  const answer = withFile(file, () => parseEnrolmentAnswer(text));
  if (answer.home !== home || answer.guests.join() !== guests.join())
    throw pkiError('ERR_ENROL_KEY', 'these keys were certified for other tenants before');
  if (device !== undefined && device !== answer.device)
    throw pkiError('ERR_ENROL_REQUEST', `this request was answered before, as device ${answer.device}`);
  if (isRevoked(pki, answer))
    throw pkiError('ERR_ENROL_KEY', `the certificates of device ${answer.device} were revoked`, {
      context: { device: answer.device },
    });
  return { ...answer, owners: issuersFor(pki, home, guests).owners, ...officeAgain(pki, answer) };
}

function isRevoked(pki: DevelopmentPki, answer: EnrolmentAnswer): boolean {
  const lists = readCrlFile(pki.layout.crl(answer.home));
  const revoked = new Set(lists.flatMap(({ list }) => list.entries.map(({ serial }) => serial)));
  return CREDENTIAL_NAMES.some((name) =>
    revoked.has(parseCertificate(derOf('CERTIFICATE', answer[name])).serial),
  );
}
