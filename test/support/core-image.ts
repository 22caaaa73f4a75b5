import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** gdb stops a process for as long as it copies its memory. */
const COPY_WITHIN_MS = 60_000;

/** A signal takes effect at once; threads in a system call take a moment. */
const STOP_WITHIN_MS = 10_000;

/**
 * Hand an image of all memory of a running process to somebody, and remove it. The process goes on afterwards.
 *
 * gdb copies every mapping of which any page is there (proc(5), smaps: in memory or swapped out). Its own gcore would
 * write the ten gigabytes of addresses that Node reserves and never touches as zeros. The image lies where nothing
 * is searched.
 */
export function withCoreImage<Result>(
  pid: number,
  use: (file: string, bytes: number) => Result,
  takes: (mapping: Mapping) => boolean = () => true,
): Result {
  const folder = mkdtempSync(join(tmpdir(), 'hes-core-'));
  try {
    stop(pid);
    const image = join(folder, 'core');
    const commands = join(folder, 'commands');
    const mappings = mappingsOf(pid).filter(takes);
    const copies = mappings.map(({ from, to }) => `append binary memory ${image} ${from} ${to}`);
    writeFileSync(commands, [...copies, 'detach', ''].join('\n'));
    execFileSync('gdb', ['-nx', '-batch', '-p', String(pid), '-x', commands], {
      stdio: 'pipe',
      timeout: COPY_WITHIN_MS,
      env: { PATH: process.env['PATH'], DEBUGINFOD_URLS: '' },
    });
    // gdb ends a list of commands at the first that fails: what is not in the image was not searched.
    const bytes = mappings.reduce((sum, { from, to }) => sum + Number(BigInt(to) - BigInt(from)), 0);
    const copied = statSync(image).size;
    if (copied !== bytes) throw new Error(`only ${copied} of ${bytes} bytes of memory were copied`);
    return use(image, copied);
  } finally {
    process.kill(pid, 'SIGCONT');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Its mappings must not change between being listed and being copied. */
function stop(pid: number): void {
  process.kill(pid, 'SIGSTOP');
  const endMs = performance.now() + STOP_WITHIN_MS;
  while (!/^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
    if (performance.now() > endMs) throw new Error(`process ${pid} does not stop`);
}

/** What only the kernel can read. */
const UNREADABLE = /\[(vvar|vsyscall|vdso|vvar_vclock)\]/;

/** Addresses in hex, and what the kernel calls it: nothing where it is memory that was asked for as such. */
interface Mapping {
  readonly from: string;
  readonly to: string;
  readonly name: string;
}

/**
 * V8 asks for the pages of its heap at addresses of its own choice, in the lower half of what a process has
 * (x86-64); libraries, stacks and what C's allocator asks for lie at the upper end, its first heap has a name.
 */
const V8_CHOOSES_BELOW = 0x4000_0000_0000n;

export function isOutsideOfV8({ to, name }: Mapping): boolean {
  return name !== '' || BigInt(to) > V8_CHOOSES_BELOW;
}

/** Each mapping that has content. */
function mappingsOf(pid: number): Mapping[] {
  const entries = readFileSync(`/proc/${pid}/smaps`, 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return entries.flatMap((entry) => {
    const [, from, to, name] = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ *(.*)$/m.exec(entry) ?? [];
    const pages = [...entry.matchAll(/^(?:Rss|Swap): +(\d+) kB$/gm)];
    const empty = pages.every(([, kilobytes]) => kilobytes === '0');
    return empty || UNREADABLE.test(entry) ? [] : [{ from: `0x${from}`, to: `0x${to}`, name: name! }];
  });
}
