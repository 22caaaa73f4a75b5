/**
 * The local bus: round trips a second from the front's process to a router's and back, and the CPU time that one
 * costs both sides together. Run: `node bench/bus.ts [seconds]`; the result is written to bench/results/bus.json.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalHub } from '../gateway/bus/local/hub.ts';
import type { TenantBus } from '../gateway/bus/port.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';

const TENANT = 'ores' as TenantId;
const DEVICE = '0011223344556677' as DeviceId;
const WARM_UP_MS = 500;

/** What is asked and answered, and how many are in flight. A sealed daily index is about 2 KiB, a receipt about 200 B. */
const ROWS = [
  { name: 'index and receipt, at load', requestBytes: 2_048, answerBytes: 200, inFlight: 256 },
  { name: 'both ways 2 KiB, at load', requestBytes: 2_048, answerBytes: 2_048, inFlight: 256 },
  { name: 'index and receipt, eight at once', requestBytes: 2_048, answerBytes: 200, inFlight: 8 },
  { name: 'index and receipt, one after the other', requestBytes: 2_048, answerBytes: 200, inFlight: 1 },
] as const;

type Row = (typeof ROWS)[number];

async function measure(row: Row, runMs: number) {
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
  await drive(bus, row, WARM_UP_MS);
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
    cpuMicrosecondsPerRoundTrip: Number((cpuMicroseconds / roundTrips).toFixed(2)),
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

const runMs = Number(process.argv[2] ?? 3) * 1000;
const rows = [];
for (const row of ROWS) rows.push(await measure(row, runMs));
const result = {
  what: 'local bus, front process to router process and back; CPU of both together',
  node: process.version,
  cpu: `${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown'}`,
  runMs,
  rows,
};
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
writeFileSync(new URL('./results/bus.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
console.table(
  rows.map((row) => ({
    row: row.name,
    'round trips/s': row.roundTripsPerSecond,
    'CPU µs': row.cpuMicrosecondsPerRoundTrip,
  })),
);
