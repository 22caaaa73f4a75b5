import { createPrivateKey, createPublicKey } from 'node:crypto';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { makeFolder, placeNew, readTextIfThere, sweepBeside, syncFolder, withFile } from '../files/files.ts';
import {
  type CredentialName,
  documentText,
  type EnrolmentRequest,
  parseDocument,
  pemSchema,
  REQUEST_BYTES_MAX,
  requestIdOf,
  requestSchema,
} from './request.ts';

/**
 * Keys that wait for their certificates: a file beside the identity's place, made whole or not at all before anything
 * of it leaves the device. So a power cut at any step leaves no keys or these, and the request that went out is
 * always answered to keys that are still here.
 */
export interface PendingEnrolment {
  readonly request: EnrolmentRequest;
  /** PKCS#8 PEM. */
  readonly keys: Readonly<Record<CredentialName, string>>;
}

export interface Wanted {
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  /** Hex SHA-256 of the only field root that will be taken. */
  readonly root: string | null;
}

export const pendingFile = (identityFile: string): string => `${identityFile}.pending`;

/** The request, and three keys of 250 characters. */
const PENDING_BYTES_MAX = REQUEST_BYTES_MAX + 4_096;

const pendingSchema = z.strictObject({
  version: z.literal(1),
  request: requestSchema,
  keys: z.strictObject({ tls: pemSchema, sign: pemSchema, agree: pemSchema }),
});

/** @throws ERR_ENROL_PENDING where it is damaged, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readPending(identityFile: string): PendingEnrolment | undefined {
  const file = pendingFile(identityFile);
  const text = readTextIfThere(file);
  if (text === undefined) return undefined;
  try {
    const pending = parseDocument(text, {
      schema: pendingSchema,
      bytesMax: PENDING_BYTES_MAX,
      code: 'ERR_ENROL_PENDING',
      what: 'pending enrolment',
    });
    if (requestIdOf(publicKeysOf(pending)) !== pending.request.request) throw new Error('other keys');
    return pending;
  } catch (cause) {
    throw pkiError('ERR_ENROL_PENDING', `${file} is damaged: remove it to begin anew`, {
      cause,
      context: { file },
    });
  }
}

/** The public halves (SubjectPublicKeyInfo) of the pending keys. */
export function publicKeysOf({ keys }: PendingEnrolment): Record<CredentialName, Uint8Array> {
  const spki = (key: string): Uint8Array =>
    createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
  return { tls: spki(keys.tls), sign: spki(keys.sign), agree: spki(keys.agree) };
}

/**
 * Make the device's keys and its request, or go on with those that are pending: never a second set.
 *
 * @throws ERR_ENROL_PENDING where what is pending asks for something else, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export async function beginEnrolment(
  identityFile: string,
  wanted: Wanted,
): Promise<{ readonly pending: PendingEnrolment; readonly continued: boolean }> {
  const file = pendingFile(identityFile);
  const there = readPending(identityFile);
  if (there === undefined) {
    const made = await makePending(wanted);
    makeFolder(dirname(file), true);
    if (placeNew(file, documentText({ version: 1, ...made }))) {
      sweepBeside(file);
      return { pending: made, continued: false };
    }
  }
  // Placed by another process a moment ago, if not before: its keys are the device's.
  const pending = there ?? readPending(identityFile);
  if (pending === undefined) throw pkiError('ERR_ENROL_PENDING', `${file} came and went: try again`);
  const differs = differenceOf(pending.request, wanted);
  if (differs !== undefined)
    throw pkiError(
      'ERR_ENROL_PENDING',
      `a request with another ${differs} is pending in ${file}: go on with that one, or remove the file to begin anew with other keys`,
      { context: { file } },
    );
  sweepBeside(file);
  // The power may have been cut between the link and the flush of the folder: nothing leaves before it is on the disk.
  syncFolder(dirname(file));
  return { pending, continued: true };
}

/** The keys are in the identity now. */
export function removePending(identityFile: string): void {
  const file = pendingFile(identityFile);
  withFile(file, () => rmSync(file, { force: true }));
  sweepBeside(file);
  syncFolder(dirname(file));
}

async function makePending(wanted: Wanted): Promise<PendingEnrolment> {
  const { newEnrolmentKeys, writeEnrolmentRequest } = await import('./request-write.ts');
  const keys = newEnrolmentKeys();
  const request = await writeEnrolmentRequest(keys, wanted);
  return {
    request,
    keys: {
      tls: keys.tls.privateKeyPem,
      sign: keys.sign.privateKeyPem,
      agree: keys.agree.privateKeyPem,
    },
  };
}

function differenceOf(request: EnrolmentRequest, wanted: Wanted): string | undefined {
  if (request.home !== wanted.home) return 'home';
  if (request.guests.join() !== wanted.guests.join()) return 'list of guests';
  return request.root === wanted.root ? undefined : 'root';
}
