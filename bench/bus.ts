/**
 * The local bus: round trips a second from the front's process to a router's and back, and the CPU time that one
 * costs both sides together.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalHub } from '../gateway/bus/local/hub.ts';
import type { TenantBus } from '../gateway/bus/port.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import type { Bench } from './lib/bench.ts';
import { round } from './lib/statistics.ts';

const TENANT = 'ores' as TenantId;
const DEVICE = '0011223344556677' as DeviceId;

const FULL = { warmUpMs: 500, runMs: 3_000 } as const;
const QUICK = { warmUpMs: 50, runMs: 100 } as const;

/** What is asked and answered, and how many are in flight. A sealed daily index is about 2 KiB, a receipt about 200 B. */
const ROWS = [
  { name: 'index and receipt, at load', requestBytes: 2_048, answerBytes: 200, inFlight: 256 },
  { name: 'both ways 2 KiB, at load', requestBytes: 2_048, answerBytes: 2_048, inFlight: 256 },
  { name: 'index and receipt, eight at once', requestBytes: 2_048, answerBytes: 200, inFlight: 8 },
  { name: 'index and receipt, one after the other', requestBytes: 2_048, answerBytes: 200, inFlight: 1 },
] as const;

type Row = (typeof ROWS)[number];

async function measure(row: Row, { warmUpMs, runMs }: typeof FULL | typeof QUICK) {
  const directory = mkdtempSync(join(tmpdir(), 'hes-bench-'));
  const hub = await startLocalHub({ directory, tenants: [TENANT] });
  const responder = fork(new URL('./bus-responder.ts', import.meta.url), [
    directory,
    String(row.answerBytes),
  ]);
  await once(responder, 'message');
  const cpuOf = async (): Promise<number> => {
    responder.send('cpu');
    const [{ cpuMicroseconds }] = (await once(responder, 'message')) as [{ cpuMicroseconds: number }];
    const { user, system } = process.cpuUsage();
    return cpuMicroseconds + user + system;
  };
  const bus = hub.bus(TENANT);
  await drive(bus, row, warmUpMs);
  const cpuBefore = await cpuOf();
  const startedMs = performance.now();
  const roundTrips = await drive(bus, row, runMs);
  const elapsedMs = performance.now() - startedMs;
  const cpuMicroseconds = (await cpuOf()) - cpuBefore;
  responder.disconnect();
  await hub.close();
  rmSync(directory, { recursive: true });
  return {
    ...row,
    roundTripsPerSecond: Math.round((roundTrips / elapsedMs) * 1000),
    cpuMicroseconds: round(cpuMicroseconds / roundTrips),
  };
}

async function drive(bus: TenantBus, { requestBytes, inFlight }: Row, runMs: number): Promise<number> {
  const body = new Uint8Array(requestBytes);
  const untilMs = performance.now() + runMs;
  let roundTrips = 0;
  const lane = async (): Promise<void> => {
    while (performance.now() < untilMs) {
      await bus.request({ subject: 'up.index', device: DEVICE, body }, { deadlineMs: 10_000 });
      roundTrips++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  return roundTrips;
}

export const bench: Bench = {
  what: "The local bus: round trips from the front's process to a router's and back, with the CPU time of both together.",

  async run({ quick, progress }) {
    const rows = [];
    for (const row of ROWS) {
      progress(row.name);
      rows.push(await measure(row, quick ? QUICK : FULL));
    }
    const [atLoad, , , alone] = rows;
    return {
      ratios: [
        {
          name: 'CPU of a round trip alone to one at load: what batches save',
          value: round(alone!.cpuMicroseconds / atLoad!.cpuMicroseconds, 1),
        },
      ],
      figures: rows.flatMap(({ name, roundTripsPerSecond, cpuMicroseconds }) => [
        { name, value: roundTripsPerSecond, unit: 'round trips/s' },
        { name, value: cpuMicroseconds, unit: 'CPU µs a round trip' },
      ]),
      absent: [],
      notes: ['A sealed daily index is about 2 KiB, a receipt about 200 bytes.'],
      details: { rows },
    };
  },
};
