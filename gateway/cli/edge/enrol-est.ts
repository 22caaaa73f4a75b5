import { createPrivateKey } from 'node:crypto';
import { enrolOverEst } from '../../../pki/enrolment/over-est.ts';
import { type EstCredential, isEstUrl } from '../../../pki/est/client.ts';
import { readPrivateText } from '../../../pki/files/files.ts';
import { usage } from '../errors.ts';
import { readDocument } from '../pki/document.ts';
import { type EdgeEnrolFlags, tellEnrolled, wantedOf } from './enrol.ts';
import type { EnrolTarget } from './enrol-target.ts';

/** A code has 20 characters; whoever wrote it down may have put blanks and a line end around it. */
const CODE_BYTES_MAX = 256;
/** Of a manufacturer's certificate with its chain, in PEM. */
const BIRTH_BYTES_MAX = 65_536;

/** What stands where `--est` does not. @throws ERR_USAGE */
export function checkEstFlags(flags: EdgeEnrolFlags): void {
  const { est, codeFile, birthCertificate, birthKey, servername } = flags;
  if (est === undefined) {
    if ((codeFile ?? birthCertificate ?? birthKey ?? servername) !== undefined)
      throw usage('--code-file, --birth-certificate, --birth-key and --servername go with --est');
    return;
  }
  if (!isEstUrl(est)) throw usage('--est is https://host[:port], without a path');
  if ((flags.answer ?? flags.out) !== undefined)
    throw usage('--est asks and takes the answer by itself: leave --out and --answer out');
  const hasBirth = birthCertificate !== undefined && birthKey !== undefined;
  if (hasBirth === (codeFile !== undefined) || (birthCertificate === undefined) !== (birthKey === undefined))
    throw usage('say who asks: --code-file FILE, or --birth-certificate FILE and --birth-key FILE');
}

/** `hes edge enrol --est`: keys, certificates, owners and offices in one go, which may be run again at any time. */
export async function enrolByEst(
  flags: EdgeEnrolFlags & { readonly est: string },
  target: EnrolTarget,
  fingerprint: string | null,
): Promise<void> {
  if (fingerprint === null)
    throw usage(
      'name the field root, by another way than this server: --root FILE or --root-fingerprint SHA256',
    );
  const { home, guests } = wantedOf(flags, target, fingerprint);
  const { identity, again } = await enrolOverEst(target.identity, {
    url: flags.est,
    servername: flags.servername,
    root:
      flags.root === undefined ? { fingerprint } : { pem: await readDocument(flags.root, BIRTH_BYTES_MAX) },
    by: await credentialOf(flags),
    home,
    guests,
    atMs: Date.now(),
    development: target.development,
    onStep: (what) => void process.stderr.write(`${what}\n`),
  });
  tellEnrolled(flags, target, identity, again);
}

async function credentialOf(flags: EdgeEnrolFlags): Promise<EstCredential> {
  const { codeFile, birthCertificate, birthKey } = flags;
  if (codeFile !== undefined) {
    const code = (await readDocument(codeFile, CODE_BYTES_MAX)).trim();
    if (!/^[\x21-\x7e]{1,64}$/.test(code)) throw usage('--code-file holds no one-time code');
    return { code };
  }
  const key = readPrivateText(birthKey!);
  try {
    createPrivateKey(key);
  } catch {
    throw usage(`${birthKey} holds no private key that opens without a passphrase`);
  }
  return { key, certificate: await readDocument(birthCertificate!, BIRTH_BYTES_MAX) };
}
