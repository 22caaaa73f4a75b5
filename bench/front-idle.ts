/**
 * What an idle device costs: resident KiB of the front per mutual-TLS connection after CONNECT, beside Mosquitto in
 * the same run with the same certificates. The slope between a few and many connections, so that neither side's
 * start counts. Run: `node bench/front-idle.ts [connections]`; the result is written to bench/results/front-idle.json.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Field, ORES } from '../gateway/front/testing/fixture.ts';
import { Meter } from '../gateway/front/testing/meter.ts';
import { issueDevices } from '../pki/development.ts';
import type { DeviceIdentity } from '../pki/trust.ts';
import { residentKib } from './lib/cpu.ts';
import { mosquittoIsHere, startMosquitto } from './lib/mosquitto.ts';

const MOSQUITTO_PORT = 18_885;
/** The first connections grow what both sides grow once: heaps, tables, compiled code. */
const FIRST = 300;
const AT_ONCE = 10;
/** Garbage of the handshakes goes, and what stays is what idles. */
const SETTLE_MS = 4_000;

const connections = Number(process.argv[2] ?? 2_000);
const field = new Field([ORES]);
const devices = await issueDevices(
  field.pki,
  Array.from({ length: connections }, () => ({ home: ORES })),
  { nowMs: Date.now() },
);

async function open(port: number, identities: readonly DeviceIdentity[]): Promise<Meter[]> {
  const queue = [...identities];
  const meters: Meter[] = [];
  const worker = async (): Promise<void> => {
    for (let identity = queue.pop(); identity !== undefined; identity = queue.pop())
      meters.push(await Meter.ready(identity, port));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return meters;
}

async function kibPerConnection(pid: number, port: number): Promise<number> {
  const few = await open(port, devices.slice(0, FIRST));
  await delay(SETTLE_MS);
  const before = residentKib(pid);
  const many = await open(port, devices.slice(FIRST));
  await delay(SETTLE_MS);
  const after = residentKib(pid);
  const closed = [...few, ...many].filter((meter) => meter.closed).length;
  if (closed > 0) throw new Error(`${closed} connections did not stay`);
  for (const meter of [...few, ...many]) meter.socket.destroy();
  return Number(((after - before) / many.length).toFixed(1));
}

async function measureFront(): Promise<number> {
  const config = JSON.stringify(field.rawConfig({}, [ORES]));
  const program = new URL('../test/programs/front-alone.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [program, config], { stdio: ['pipe', 'pipe', 'inherit'] });
  const line = await createInterface({ input: child.stdout })[Symbol.asyncIterator]().next();
  const { port } = JSON.parse(String(line.value)) as { port: number };
  try {
    return await kibPerConnection(child.pid!, port);
  } finally {
    child.kill('SIGKILL');
  }
}

async function measureMosquitto(): Promise<number> {
  const { layout } = field.pki;
  const text = (file: string): string => readFileSync(file, 'utf8');
  const mosquitto = await startMosquitto({
    port: MOSQUITTO_PORT,
    authority: `${text(layout.issuing(ORES).certificate)}\n${text(layout.root.certificate)}`,
    certificate: text(layout.front.certificate),
    key: text(layout.front.key),
  });
  try {
    return await kibPerConnection(mosquitto.pid, mosquitto.port);
  } finally {
    await mosquitto.stop();
  }
}

const frontKib = await measureFront();
const mosquittoKib = mosquittoIsHere ? await measureMosquitto() : null;
field.remove();

const result = {
  machine: { cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism(), node: process.version },
  connections: connections - FIRST,
  frontKib,
  mosquittoKib: mosquittoKib ?? 'mosquitto is not installed',
  ratio: mosquittoKib === null ? null : Number((frontKib / mosquittoKib).toFixed(2)),
};
mkdirSync(new URL('./results/', import.meta.url), { recursive: true });
writeFileSync(new URL('./results/front-idle.json', import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
console.log(JSON.stringify(result, null, 2));
process.exit(0);
