import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** System calls by which a process can come to write to a file, or to have one, and those that start a thread. */
const CALLS = [
  'open',
  'openat',
  'openat2',
  'creat',
  'rename',
  'renameat',
  'renameat2',
  'link',
  'linkat',
  'symlink',
  'symlinkat',
  'mknod',
  'mknodat',
  'mkdir',
  'mkdirat',
  'truncate',
  'bind',
  'io_uring_setup',
  'memfd_create',
  'clone',
  'clone3',
  'vfork',
  'fork',
];

/** Start a command under strace with this in front of it: a file per thread of every process that it starts. */
export function underStrace(folder: string): readonly string[] {
  // --seccomp-bpf: only these calls stop the process, so that the rest runs at its usual speed.
  return [
    'strace',
    '-ff',
    '--seccomp-bpf',
    '-qq',
    '-s',
    '4096',
    '-e',
    `trace=${CALLS.join(',')}`,
    '-o',
    join(folder, 'trace'),
  ];
}

/** What one process did that could leave something behind. */
export interface Writes {
  /** Paths that were opened for writing or made, each once. */
  readonly files: readonly string[];
  /** Unix sockets that were bound. */
  readonly sockets: readonly string[];
  /** Calls that this trace cannot see through. */
  readonly opaque: readonly string[];
  /** Threads that were traced; and files that were opened for reading, to show that something was. */
  readonly threads: number;
  readonly reads: number;
}

/** Put together what all threads of a process did. */
export function writesOf(folder: string, pid: number): Writes {
  const files = new Set<string>();
  const sockets = new Set<string>();
  const opaque = new Set<string>();
  let reads = 0;
  const threads = [pid];
  for (const thread of threads) {
    for (const line of readFileSync(join(folder, `trace.${thread}`), 'utf8').split('\n')) {
      const [, call, rest] = /^([a-z0-9_]+)\((.*)$/.exec(line) ?? [];
      // What failed has left nothing.
      if (call === undefined || rest === undefined || / = -1 E[A-Z]+ \(/.test(rest)) continue;
      const started = /CLONE_THREAD.* = (\d+)$/.exec(rest)?.[1];
      if (started !== undefined) threads.push(Number(started));
      else if (/^(clone3?|v?fork)$/.test(call)) opaque.add(`${call}: another process`);
      else if (call === 'io_uring_setup') {
        // libuv's ring without this flag is for epoll_ctl alone; the one for files has it, and is off by default.
        if (rest.includes('IORING_SETUP_SQPOLL')) opaque.add(call);
      } else if (call === 'memfd_create') opaque.add(call);
      else if (call === 'bind') {
        const path = /sun_path="([^"]+)"/.exec(rest)?.[1];
        if (path !== undefined) sockets.add(path);
      } else if (/^open/.test(call) && !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND/.test(rest)) reads += 1;
      else for (const [, path] of rest.matchAll(/"([^"]*)"/g)) files.add(path!);
    }
  }
  return {
    files: [...files],
    sockets: [...sockets],
    opaque: [...opaque],
    threads: threads.length,
    reads,
  };
}
