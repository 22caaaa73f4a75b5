import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import type { Link, LinkCalls, LinkTrouble, OpenLink } from './link.ts';
import type { PortState } from './source.ts';

/** Telegrams that are in a file already. */
export function fileLink(path: string): Link {
  return streamLink(() => createReadStream(path));
}

/** Telegrams that another program pipes in. */
export function stdinLink(): Link {
  return streamLink(() => process.stdin);
}

/** Any readable: it is read once, to its end. */
export function streamLink(make: () => Readable): Link {
  return { modes: [null], isPort: false, open: (_, calls) => Promise.resolve(openStream(make(), calls)) };
}

const TROUBLES: Readonly<Record<string, PortState>> = {
  ENOENT: 'unplugged',
  EACCES: 'denied',
  EPERM: 'denied',
};

function openStream(stream: Readable, { data }: LinkCalls): OpenLink {
  const closed = new Promise<LinkTrouble>((settle) => {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'unknown';
      settle({ state: TROUBLES[code] ?? 'failed', code });
    });
    stream.on('end', () => settle({ state: 'ended' }));
    stream.on('close', () => settle({ state: 'ended' }));
  });
  stream.on('data', data);
  return { closed, close: () => void stream.destroy() };
}
