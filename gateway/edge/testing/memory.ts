import type { DeviceIdentity } from '../../../pki/identity.ts';
import { parseDeviceIdentity } from '../../../pki/identity.ts';
import type { IdentityPort } from '../device-options.ts';
import type { OutboxFiles } from '../outbox/files.ts';

/** An identity in memory, through its file form each time, as it lies on a disk. */
export function identityInMemory(
  identity: DeviceIdentity,
): IdentityPort & { save(identity: DeviceIdentity): void } {
  let text = JSON.stringify(identity);
  return {
    device: identity.device,
    load: () => parseDeviceIdentity(text),
    save: (next) => {
      text = JSON.stringify(next);
    },
  };
}

const never = (): never => {
  throw new Error('nobody asks for this');
};

/** As much of a disk as is needed for files that are put in their place whole. `full` refuses writes. */
export function filesInMemory(): OutboxFiles & { readonly content: Map<string, Uint8Array>; full: boolean } {
  const content = new Map<string, Uint8Array>();
  const files = {
    content,
    full: false,
    read: (path: string) => {
      const bytes = content.get(path);
      return bytes === undefined ? undefined : Buffer.from(bytes);
    },
    replaceDurably: async (path: string, bytes: Uint8Array) => {
      if (files.full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      content.set(path, Buffer.from(bytes));
    },
    remove: (path: string) => void content.delete(path),
    readAt: never,
    append: never,
    appendDurably: never,
    truncate: never,
    replace: never,
    flush: never,
  };
  return files;
}
