/**
 * What an idle device costs: resident KiB of the front per mutual-TLS connection after CONNECT, beside Mosquitto in
 * the same run with the same certificates. The slope between a few and many connections, so that neither side's
 * start counts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { ORES } from '../gateway/front/testing/fixture.ts';
import { Meter } from '../gateway/front/testing/meter.ts';
import { issueDevices } from '../pki/development/development.ts';
import type { DeviceIdentity } from '../pki/trust.ts';
import type { Bench } from './lib/bench.ts';
import { residentKib } from './lib/cpu.ts';
import { startHeadEnd } from './lib/head-end.ts';
import { MOSQUITTO_ABSENT, mosquittoIsHere, startPeer } from './lib/mosquitto.ts';
import { round } from './lib/statistics.ts';

/** The first connections grow what both sides grow once: heaps, tables, compiled code. */
const FULL = { first: 500, more: 2_500, settleMs: 15_000 } as const;
const QUICK = { first: 10, more: 20, settleMs: 200 } as const;
const AT_ONCE = 10;

interface Idlers {
  readonly first: readonly DeviceIdentity[];
  readonly more: readonly DeviceIdentity[];
  /** The engine collects the garbage of the handshakes some seconds after they end; what stays is what idles. */
  readonly settleMs: number;
}

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

async function kibPerConnection(
  { pid, port }: { readonly pid: number; readonly port: number },
  { first, more, settleMs }: Idlers,
): Promise<number> {
  const few = await open(port, first);
  await delay(settleMs);
  const before = residentKib(pid);
  const many = await open(port, more);
  await delay(settleMs);
  const after = residentKib(pid);
  const all = [...few, ...many];
  const closed = all.filter((meter) => meter.closed).length;
  if (closed > 0) throw new Error(`${closed} connections did not stay`);
  for (const meter of all) meter.socket.destroy();
  return (after - before) / many.length;
}

export const bench: Bench = {
  what: 'Resident memory of an idle device on mutual TLS, beside Mosquitto.',

  async run({ quick, nodeFlags, profile, progress }) {
    const { first, more, settleMs } = quick ? QUICK : FULL;
    const headEnd = await startHeadEnd({
      tenants: [ORES],
      nowMs: Date.now(),
      ageDaysMax: 60,
      nodeFlags,
      profile,
    });
    try {
      const devices = await issueDevices(
        headEnd.pki,
        Array.from({ length: first + more }, () => ({ home: ORES })),
        { nowMs: Date.now() },
      );
      const idlers = { first: devices.slice(0, first), more: devices.slice(first), settleMs };
      progress('the front');
      const ours = await kibPerConnection({ pid: headEnd.frontPid, port: headEnd.port }, idlers);
      progress('Mosquitto');
      const mosquitto = await startPeer(headEnd.pki, ORES);
      let theirs: number | undefined;
      if (mosquitto !== undefined)
        try {
          theirs = await kibPerConnection(mosquitto, idlers);
        } finally {
          await mosquitto.stop();
        }
      return {
        ratios: [
          {
            name: "an idle connection's memory to Mosquitto's",
            value: theirs === undefined ? null : round(ours / theirs),
          },
        ],
        figures: [
          { name: 'front', value: round(ours, 1), unit: 'KiB a connection' },
          ...(theirs === undefined
            ? []
            : [{ name: 'Mosquitto', value: round(theirs, 1), unit: 'KiB a connection' }]),
        ],
        absent: mosquittoIsHere ? [] : [MOSQUITTO_ABSENT],
        notes: [
          `Between ${first} and ${first + more} connections, ${settleMs / 1_000} s after the last of them.`,
          'A meter of ours stays for the seconds of its wake; 16,384 idle ones of a tenant are where the front closes the door.',
        ],
        details: { first, more, settleMs },
      };
    } finally {
      await headEnd.stop();
    }
  },
};
