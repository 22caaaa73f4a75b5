import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

const CHILD = join(import.meta.dirname, 'outbox-full-disk.child.ts');
/** A name space of our own, in which a file system may be mounted without any right of this machine. */
const UNSHARE = ['--user', '--map-root-user', '--mount'];
const mayMount = spawnSync('unshare', [...UNSHARE, 'mount', '-t', 'tmpfs', 'tmpfs', '/tmp']).status === 0;

const home = mkdtempSync(join(tmpdir(), 'hes-full-disk-'));
afterAll(() => rmSync(home, { recursive: true }));

test.skipIf(!mayMount)(
  'a device on a real file system that is full loses no day and starts again (where user name spaces are allowed)',
  { timeout: 60_000 },
  () => {
    const disk = join(home, 'disk');
    mkdirSync(disk);
    const script =
      'mount -t tmpfs -o size=192k tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1" "$4"';
    const { stdout, stderr, status } = spawnSync(
      'unshare',
      [...UNSHARE, 'sh', '-c', script, 'sh', disk, process.execPath, CHILD, home],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      whileFull: 'ERR_OUTBOX_WRITE',
      failing: true,
      pendingAfterRestart: 2,
      stillFull: 'ERR_OUTBOX_WRITE',
      stored: 4,
      failingAfter: false,
      waiting: ['ores 0', 'farys 0', 'ores 1', 'farys 1', 'ores 2', 'farys 2'],
      restored: 'restored',
    });
  },
);
