import { randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { isHesError } from '../../protocol/errors.ts';
import { readText, syncFolder, withFile } from '../files/files.ts';
import { destroyInToken } from '../keys/key-maker.ts';

/**
 * Overwrite a key file in its place and remove it, both on the disk before this returns. A disk that writes elsewhere (as
 * those with wear levelling do) may keep the old octets, and so may a backup: keys at rest are encrypted (docs/adr/0171).
 * One that is gone already is gone. One that a token has is destroyed there first.
 * @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS, ERR_HSM_*
 */
export function destroyKeyFile(file: string): void {
  if (!existsSync(file)) return;
  try {
    destroyInToken(readText(file), file);
  } catch (error) {
    // The power was cut after the token had done it.
    if (!isHesError(error, 'ERR_HSM_KEY')) throw error;
  }
  withFile(file, () => {
    // Under `--permission` Node refuses fsync: there each write is on the disk when it returns.
    const maySync = process.permission === undefined;
    const fd = openSync(file, maySync ? 'r+' : constants.O_RDWR | constants.O_SYNC);
    try {
      writeSync(fd, randomBytes(statSync(file).size));
      if (maySync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    rmSync(file, { force: true });
  });
  syncFolder(dirname(file));
}
