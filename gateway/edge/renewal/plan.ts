import { DEVICE_KEYS, type DeviceKeyName } from '../../../pki/device.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { HesError } from '../../../protocol/errors.ts';
import type { EdgeErrorCode } from '../errors.ts';
import type { OutboxFiles } from '../outbox/files.ts';

/** A new key that was written down before it was asked for, and its certificate once that was answered. */
export interface Plan {
  /** PKCS#8 PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string | null;
}

/** A key and a certificate of 1 KiB each, and room. */
const PLAN_BYTES_MAX = 8_192;

/**
 * The plans of a device beside its identity, one file for each key: readable by its user alone, and each whole or not
 * there. One that cannot be read is none: its key may have been certified, and nobody else has it.
 */
export class Plans {
  readonly #file: string;
  readonly #device: DeviceIdentity['device'];
  readonly #files: OutboxFiles;

  /** @param file of the identity */
  constructor(file: string, device: DeviceIdentity['device'], files: OutboxFiles) {
    this.#file = file;
    this.#device = device;
    this.#files = files;
  }

  read(name: DeviceKeyName): Plan | undefined {
    const bytes = tried(() => this.#files.read(this.#path(name)));
    return bytes === undefined || bytes.length > PLAN_BYTES_MAX
      ? undefined
      : parse(bytes.toString('utf8'), name, this.#device);
  }

  /** On the disk when it resolves. @throws ERR_RENEWAL_DISK */
  async write(name: DeviceKeyName, { key, certificate }: Plan): Promise<void> {
    const text = JSON.stringify({ version: 1, device: this.#device, name, key, certificate });
    try {
      await this.#files.replaceDurably(this.#path(name), Buffer.from(`${text}\n`));
    } catch (cause) {
      throw diskError(cause);
    }
  }

  remove(name: DeviceKeyName): void {
    tried(() => {
      // What a write that was cut short left beside it holds a key, too.
      this.#files.remove(`${this.#path(name)}.new`);
      this.#files.remove(this.#path(name));
    });
  }

  /** The keys that have a plan. */
  names(): DeviceKeyName[] {
    return DEVICE_KEYS.filter((name) => this.read(name) !== undefined);
  }

  #path(name: DeviceKeyName): string {
    return `${this.#file}.renew-${name}`;
  }
}

/** Whether the planned key is the one in use: then the plan was carried out, and only says so. */
export const isDone = ({ key }: Plan, identity: DeviceIdentity, name: DeviceKeyName): boolean =>
  identity[name].key === key;

function parse(text: string, name: DeviceKeyName, device: string): Plan | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { version, key, certificate, ...rest } = value as Record<string, unknown>;
  if (version !== 1 || rest['device'] !== device || rest['name'] !== name) return undefined;
  if (typeof key !== 'string' || (certificate !== null && typeof certificate !== 'string')) return undefined;
  return { key, certificate };
}

function tried<Result>(use: () => Result): Result {
  try {
    return use();
  } catch (cause) {
    throw diskError(cause);
  }
}

function diskError(cause: unknown): HesError {
  const code: EdgeErrorCode = 'ERR_RENEWAL_DISK';
  return new HesError(code, 'the plan of a renewal cannot be read or written', { cause });
}
