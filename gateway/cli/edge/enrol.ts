import { X509Certificate } from 'node:crypto';
import { resolve } from 'node:path';
import { ANSWER_BYTES_MAX } from '../../../pki/enrolment/answer.ts';
import {
  acceptAnswer,
  enrolledAlready,
  enrolledIdentity,
  rootFingerprint,
} from '../../../pki/enrolment/answer-accept.ts';
import { CREDENTIAL_NAMES, documentText } from '../../../pki/enrolment/request.ts';
import {
  beginEnrolment,
  pendingFile,
  readPending,
  type Wanted,
} from '../../../pki/enrolment/request-pending.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { GUESTS_MAX } from '../../../pki/verify/device-certificate.ts';
import { parseTenantId } from '../../../protocol/identity.ts';
import { usage } from '../errors.ts';
import { readDocument, writeDocument } from '../pki/document.ts';
import { checkEstFlags, enrolByEst } from './enrol-est.ts';
import { type EnrolTarget, enrolTarget } from './enrol-target.ts';

export interface EdgeEnrolFlags {
  readonly config?: string;
  readonly identity?: string;
  readonly home?: string;
  readonly guest?: readonly string[];
  readonly root?: string;
  readonly rootFingerprint?: string;
  readonly out?: string;
  readonly answer?: string;
  readonly est?: string;
  readonly servername?: string;
  readonly codeFile?: string;
  readonly birthCertificate?: string;
  readonly birthKey?: string;
  readonly development?: boolean;
  readonly json?: boolean;
}

/**
 * `hes edge enrol`: first the keys and a request, then, with `--answer`, the identity; with `--est` all at once. Each may be run again at any
 * time, whenever the power was cut: the same keys, the same device.
 *
 * @throws ERR_USAGE, ERR_CONFIG, ERR_ENROL_*, ERR_TRUST_*, ERR_PKI_*
 */
export async function edgeEnrol(flags: EdgeEnrolFlags): Promise<void> {
  if (flags.answer !== undefined && (flags.home ?? flags.guest ?? flags.out) !== undefined)
    throw usage('--answer goes without --home, --guest and --out: the pending request says them');
  checkEstFlags(flags);
  const target = await enrolTarget(flags);
  const root = await confirmedRoot(flags);
  const { est } = flags;
  if (est !== undefined) await enrolByEst({ ...flags, est }, target, root);
  else if (flags.answer === undefined) await ask(flags, target, root);
  else await take(flags, flags.answer, target, root);
}

async function ask(flags: EdgeEnrolFlags, target: EnrolTarget, root: string | null): Promise<void> {
  const file = target.identity;
  const identity = enrolledIdentity(file);
  if (identity !== undefined) throw enrolledAlready(file, identity);
  if (flags.out !== undefined && [file, pendingFile(file)].includes(resolve(flags.out)))
    throw usage('--out names the file of the keys: name another');
  const { pending, continued } = await beginEnrolment(file, wantedOf(flags, target, root));
  const { request } = pending;
  writeDocument(flags.out, documentText(request));
  if (flags.json === true && flags.out !== undefined) {
    const { request: id, home, guests } = request;
    const done = { state: 'requested', continued, request: id, home, guests, root: request.root };
    process.stdout.write(
      `${JSON.stringify({ ...done, identity: file, pending: pendingFile(file), out: flags.out })}\n`,
    );
    return;
  }
  const rootWords =
    request.root === null
      ? `Ask for the fingerprint of its field root too, by another way than the answer, and add --root-fingerprint SHA256.\n`
      : '';
  const words = `${continued ? 'Going on with the three keys in' : 'Three keys were made; they stay here, in'} ${pendingFile(file)}.
The request is called ${request.request}.
Next: send ${flags.out ?? 'the request'} to ${request.home}, where \`hes pki enrol ${flags.out ?? 'FILE'} --out answer.json\` answers it;
then run here \`hes edge enrol ${target.words} --answer answer.json\`.
${rootWords}`;
  (flags.out === undefined ? process.stderr : process.stdout).write(words);
}

/** What was asked for: on the command line, or by the owners of edge.yaml; where neither says, what is pending. */
export function wantedOf(flags: EdgeEnrolFlags, target: EnrolTarget, root: string | null): Wanted {
  const pending = readPending(target.identity)?.request;
  if (flags.home === undefined && pending === undefined)
    throw usage('--home is needed: the operator whose device this is');
  const home = flags.home === undefined ? pending!.home : parseTenantId(flags.home);
  const named = flags.guest?.flatMap((list) => list.split(',').map((name) => parseTenantId(name.trim())));
  const others = [...new Set(target.owners)].filter((tenant) => tenant !== home);
  const guests = named ?? (flags.home === undefined ? pending!.guests : others);
  // The issuer would refuse it too, but then keys would be waiting for nothing.
  if (new Set([home, ...guests]).size !== guests.length + 1 || guests.length > GUESTS_MAX)
    throw usage(`guests are up to ${GUESTS_MAX} other operators than the home, each once`);
  return {
    home,
    guests,
    root: root ?? pending?.root ?? null,
  };
}

async function take(
  flags: EdgeEnrolFlags,
  answer: string,
  target: EnrolTarget,
  root: string | null,
): Promise<void> {
  const text = await readDocument(answer, ANSWER_BYTES_MAX);
  const { identity, again } = acceptAnswer(target.identity, text, {
    root,
    atMs: Date.now(),
    development: target.development,
  });
  tellEnrolled(flags, target, identity, again);
}

export function tellEnrolled(
  flags: EdgeEnrolFlags,
  target: EnrolTarget,
  identity: DeviceIdentity,
  again: boolean,
): void {
  const notAfterMs = CREDENTIAL_NAMES.map((name) =>
    new X509Certificate(identity[name].certificate).validToDate.getTime(),
  );
  const until = new Date(Math.min(...notAfterMs)).toISOString();
  const { device, home, guests } = identity;
  if (flags.json === true) {
    const done = { state: 'enrolled', again, device, home, guests, identity: target.identity };
    process.stdout.write(
      `${JSON.stringify({ ...done, rootFingerprint: rootFingerprint(identity.root), notAfter: until })}\n`,
    );
    return;
  }
  process.stdout.write(`This is device ${device} of ${[home, ...guests].join(', ')}${again ? ', as before' : ''}; its identity is in ${target.identity}.
Its certificates are valid until ${until.slice(0, 10)}. Next: \`hes edge run --config ${flags.config ?? 'edge.yaml'}\`.
`);
}

/** Hex SHA-256 of the field root that the installer vouches for. @throws ERR_USAGE */
async function confirmedRoot({ root, rootFingerprint: text }: EdgeEnrolFlags): Promise<string | null> {
  if (root !== undefined && text !== undefined)
    throw usage('name the field root once: --root or --root-fingerprint');
  if (root !== undefined) return rootFingerprint(await readDocument(root, ROOT_BYTES_MAX));
  if (text === undefined) return null;
  const hex = text.replaceAll(/[:\s]/g, '').toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hex))
    throw usage('--root-fingerprint is a SHA-256: 64 hex digits, colons or not');
  return hex;
}

/** A certificate of ours is below 1 KiB; text may stand around it. */
const ROOT_BYTES_MAX = 16_384;
