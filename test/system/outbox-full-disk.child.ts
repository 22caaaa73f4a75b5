import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dayAfter } from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import { DAY, live } from '../../gateway/edge/testing/device.ts';
import { FARYS, ORES } from '../../gateway/edge/testing/meters.ts';
import { createDevelopmentPki, issueDevice } from '../../pki/development/development.ts';
import { isHesError } from '../../protocol/errors.ts';

/**
 * The device of outbox-full-disk.test.ts, whose folder is a file system of some hundred KiB: lives two days while
 * it is full, and two more when there is room again. What happened goes to standard output as one line of JSON.
 */
const [disk, home] = process.argv.slice(2) as [string, string];
const pki = createDevelopmentPki({ directory: join(home, 'pki'), tenants: [ORES, FARYS], nowMs: Date.now() });
const identity = issueDevice(pki, { home: ORES, guests: [FARYS], nowMs: Date.now() });

function open(): EdgeDevice {
  return EdgeDevice.open({
    directory: join(disk, 'device'),
    identity,
    owners: ({ medium }) => (medium === 'water' ? FARYS : ORES),
    headEnd: { host: '127.0.0.1', port: 1 },
    development: true,
    checkpoint: true,
  });
}

/** Until not one byte more goes in. */
function fill(path: string): void {
  const fd = openSync(path, 'w');
  for (const size of [65_536, 4_096, 512, 1]) {
    try {
      for (;;) writeSync(fd, Buffer.alloc(size, 1));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  closeSync(fd);
}

const codeOf = (error: unknown): string => (isHesError(error) ? error.code : String(error));
const filler = join(disk, 'filler');
const said: Record<string, unknown> = {};

let device = open();
live(device, DAY);
await device.closeDay();
fill(filler);
live(device, dayAfter(DAY));
said['whileFull'] = await device.closeDay().then(String, codeOf);
said['failing'] = device.outboxStatus().failing;
await device.close();
// A start on a full disk, with whatever the failed writes left.
device = open();
said['pendingAfterRestart'] = device.pending();
live(device, dayAfter(DAY, 2));
said['stillFull'] = await device.closeDay().then(String, codeOf);
rmSync(filler);
said['stored'] = await device.closeDay();
await sleep(50);
said['failingAfter'] = device.outboxStatus().failing;
await device.close();
device = open();
said['waiting'] = device.waiting().map(({ owner, day }) => `${owner} ${day - DAY.ordinal}`);
said['restored'] = device.restored;
await device.close();
process.stdout.write(`${JSON.stringify(said)}\n`);
process.exit(0);
