import { readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { pkiError } from '../errors.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { readPem } from '../x509/pem.ts';
import { makeFolder, readText, syncFolder, systemCode, withFile, writeNew } from './files.ts';

/** Folders of a development PKI that are there whole or not at all. */

/** What a killed process left half made is swept away after this time; until then its maker may be alive. */
const LEFTOVER_AGE_MS = 3_600_000;

/** New files and their folders, all on the disk before this returns. */
export function writeFiles(files: ReadonlyMap<string, string>): void {
  const folders = new Set<string>();
  for (const [file, text] of files) {
    makeFolder(dirname(file));
    folders.add(dirname(file));
    writeNew(file, text);
  }
  for (const folder of folders) syncFolder(folder);
}

/** @throws ERR_PKI_EXISTS where there is something in that place already, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED */
export function moveIntoPlace(fresh: string, directory: string): void {
  try {
    renameSync(fresh, directory);
  } catch (cause) {
    if (['ENOTEMPTY', 'EEXIST'].includes(systemCode(cause)))
      throw pkiError('ERR_PKI_EXISTS', `there is a PKI in ${directory} already`, {
        cause,
        context: { directory },
      });
    withFile(directory, () => {
      throw cause;
    });
  }
  syncFolder(dirname(directory));
}

export function sweepLeftovers(directory: string): void {
  const parent = dirname(directory);
  const prefix = `.${basename(directory)}.new-`;
  for (const entry of withFile(parent, () => readdirSync(parent))) {
    if (!entry.startsWith(prefix)) continue;
    const leftover = join(parent, entry);
    const madeMs = statSync(leftover, { throwIfNoEntry: false })?.mtimeMs ?? Number.POSITIVE_INFINITY;
    if (Date.now() - madeMs > LEFTOVER_AGE_MS) rmSync(leftover, { recursive: true, force: true });
  }
}

/** @throws ERR_PKI_EXPIRED, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function checkNotExpired(file: string, nowMs: number): void {
  const { notAfterMs } = withFile(file, () => parseCertificate(readPem('CERTIFICATE', readText(file))[0]!));
  if (nowMs > notAfterMs)
    throw pkiError(
      'ERR_PKI_EXPIRED',
      `${file} has expired: remove the folder to make a new development PKI`,
      {
        context: { file },
      },
    );
}
