import { statSync } from 'node:fs';
import { replaceDeviceIdentity } from '../../../pki/device.ts';
import { type DeviceIdentity, readDeviceIdentity } from '../../../pki/identity.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { IdentityPort } from '../device-options.ts';
import type { EdgeServiceErrorCode } from './errors.ts';

/**
 * The identity of a device as it lies in its file, read again when that is another: renewals and notices put a new one
 * in its place, and so may a person. One that cannot be read, or is of another device, is left where it is: the
 * process goes on as who it was at its start.
 */
export class LiveIdentity implements IdentityPort {
  readonly device: DeviceId;
  readonly #file: string;
  #identity: DeviceIdentity;
  /** How the file looked when it was read last. */
  #look: string;

  /** @throws ERR_PKI_IDENTITY, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
  constructor(file: string) {
    this.#file = file;
    this.#look = lookOf(file);
    this.#identity = readDeviceIdentity(file);
    this.device = this.#identity.device;
  }

  load(): DeviceIdentity {
    const look = lookOf(this.#file);
    if (look === this.#look) return this.#identity;
    try {
      const identity = readDeviceIdentity(this.#file);
      if (identity.device === this.device) this.#identity = identity;
    } catch (error) {
      if (!isHesError(error)) throw error;
    }
    this.#look = look;
    return this.#identity;
  }

  /** @throws ERR_EDGE_IDENTITY where somebody put another device's in its place; ERR_PKI_RIGHTS, ERR_PKI_DAMAGED */
  save(identity: DeviceIdentity): void {
    const there = readDeviceIdentity(this.#file);
    if (there.device !== this.device || identity.device !== this.device) {
      const code: EdgeServiceErrorCode = 'ERR_EDGE_IDENTITY';
      throw new HesError(code, `${this.#file} is of another device by now: start the edge again`);
    }
    replaceDeviceIdentity(this.#file, identity);
    this.#identity = identity;
    this.#look = lookOf(this.#file);
  }
}

/** A file that was replaced is another one, whatever its time says. */
function lookOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeNs} ${stat.size}`;
}
