import type { OutboxFiles } from '../outbox/files.ts';

/** A disk in memory: for properties that open a file a thousand times. */
export function memoryFiles(): OutboxFiles & { readonly content: Map<string, Buffer> } {
  const content = new Map<string, Buffer>();
  const get = (path: string): Buffer => content.get(path) ?? Buffer.alloc(0);
  const append = (path: string, bytes: Uint8Array): void => {
    content.set(path, Buffer.concat([get(path), bytes]));
  };
  const replace = (path: string, bytes: Uint8Array): void => {
    content.set(path, Buffer.from(bytes));
  };
  return {
    content,
    read: (path) => content.get(path),
    readAt: (path, offset, length) => Buffer.from(get(path).subarray(offset, offset + length)),
    append,
    appendDurably: async (path, bytes) => append(path, bytes),
    truncate: (path, length) => replace(path, get(path).subarray(0, length)),
    replace,
    replaceDurably: async (path, bytes) => replace(path, bytes),
    flush: () => {},
    remove: (path) => void content.delete(path),
  };
}
