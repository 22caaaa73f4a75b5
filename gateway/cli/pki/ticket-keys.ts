import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { replaceFile, systemCode } from '../../../pki/files/files.ts';
import { usage } from '../errors.ts';
import type { PkiFlags } from './flags.ts';
import { print, printJson } from './print.ts';

/** `hes pki ticket-keys FILE`: new keys of TLS session tickets for the fronts that share the file (docs/adr/0188). */

/** Node's `ticketKeys`: 16 bytes of name, 16 of HMAC key, 16 of AES key. */
export const TICKET_KEYS_BYTES = 48;

/**
 * Written whole, readable by its owner alone; a front sees the old keys or the new ones and nothing between.
 * @throws ERR_USAGE where the file is something else, ERR_PKI_RIGHTS
 */
export function pkiTicketKeys(file: string, flags: PkiFlags): void {
  const rotated = isTicketKeys(file);
  const dryRun = flags.dryRun === true;
  if (!dryRun) replaceFile(file, randomBytes(TICKET_KEYS_BYTES));
  if (flags.json === true) {
    printJson({ file, rotated, dryRun });
    return;
  }
  if (dryRun) print(`${file} would ${rotated ? 'get other keys' : 'be made'}; nothing was changed.`);
  else
    print(`${file} has ${rotated ? 'other' : 'its first'} ticket keys. Fronts that name it as tls.ticketKeys take them within
limits.revocationPollMs, or at once by \`systemctl reload hes-front\`. Each device makes one full handshake.
Bring the same file to every front behind the same address.`);
}

/** Whether it is there already. What is not of that size is somebody else's file, named by mistake. */
function isTicketKeys(file: string): boolean {
  let size: number;
  try {
    size = statSync(file).size;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw usage(`${file} cannot be looked at (${systemCode(error)})`);
  }
  if (size !== TICKET_KEYS_BYTES)
    throw usage(`${file} holds no ticket keys (${size} bytes): it is left as it is; name another file`);
  return true;
}
