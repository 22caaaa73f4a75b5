import { appendFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startLocalHub } from '../../gateway/bus/local/hub.ts';
import type { TenantBus } from '../../gateway/bus/port.ts';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import {
  ask,
  type OfficeWorld,
  ORES,
  officeWorld,
  open,
  post,
} from '../../gateway/desk/testing/office-world.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import { issueDevice, revokePerson } from '../../pki/development/development.ts';
import { readOfficeIdentity } from '../../pki/office/identity.ts';
import type { Command } from '../../protocol/command/command.ts';
import {
  type DownlinkAnswer,
  decodeDownlink,
  encodeAwake,
  encodeDownlinkAnswer,
} from '../../protocol/downlink.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { listens, until } from '../support/processes.ts';

/** `hes desk` as a process that may write its database and nothing else, killed while people propose. */

const HES = new URL('../../gateway/cli/hes.ts', import.meta.url);
const COMMANDS = 60;
const STARTED_WITHIN_MS = 60_000;

let world: OfficeWorld;
let hub: Awaited<ReturnType<typeof startLocalHub>>;
let bus: TenantBus;
let supervisor: Supervisor;
let child: Child;
let port: number;
let databases: string;
const written: string[] = [];
let answer: DownlinkAnswer['kind'] = 'absent';

beforeAll(async () => {
  world = officeWorld();
  const directory = join(world.directory, 'bus');
  databases = join(world.directory, 'database');
  mkdirSync(databases, { mode: 0o700 });
  hub = await startLocalHub({ directory, tenants: [ORES] });
  bus = hub.bus(ORES);
  await bus.serve('down.command', async ({ device, body }) => {
    const { sealed } = decodeDownlink(body);
    if (sealed.length > 0) written.push(device);
    const kind = answer === 'written' && sealed.length === 0 ? 'present' : answer;
    return encodeDownlinkAnswer({ kind });
  });
  [port] = (await freePorts(1)) as [number];
  const { office, pki } = world;
  const database = join(databases, 'ores.sqlite');
  supervisor = new Supervisor({ onLine: () => undefined, restart: { baseMs: 50, maxMs: 100 } });
  child = await supervisor.start({
    name: 'desk',
    module: HES,
    args: ['desk', '--config', '-'],
    readyWithinMs: STARTED_WITHIN_MS,
    nodeFlags: [
      '--permission',
      '--allow-fs-read=*',
      '--allow-net',
      `--allow-fs-write=${database}*`,
      '--disable-warning=ExperimentalWarning',
    ],
    config: {
      mode: 'development',
      tenant: ORES,
      database,
      listen: { port },
      tls: office.desk(ORES),
      office: {
        root: office.root.certificate,
        issuing: [office.issuing(ORES).certificate],
        revocations: [office.crl(ORES)],
      },
      // It reads its lists when it is told to, and never by itself within this test.
      reloadSeconds: 86_400,
      field: {
        root: pki.layout.root.certificate,
        issuers: [{ tenant: ORES, certificate: pki.layout.issuing(ORES).certificate }],
      },
      registry: world.registry,
      bus: { directory },
    },
  });
}, 120_000);
afterAll(async () => {
  await supervisor.stop();
  await hub.close();
  world.close();
}, 60_000);

const operator = () => world.person('operator').tls;

/** As a client does that lost the answer: the same bytes again, until somebody answers. */
async function proposed(command: Command): Promise<string> {
  const proposal = world.proposal(command);
  for (;;)
    try {
      const { status, json } = await post(port, operator(), '/v1/commands', proposal);
      if (status !== 503) return `${status} ${json.id}`;
    } catch {
      // the desk is away for a moment
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
}

/** As the front tells: the device has its command, or there is none, when the desk has answered. */
const wake = (device: DeviceId): Promise<Uint8Array> =>
  bus.request(
    { subject: 'desk.awake', device, body: encodeAwake({ home: ORES }) },
    { deadlineMs: STARTED_WITHIN_MS },
  );

describe('a desk that is killed', () => {
  it('has every command that it answered for, once, and goes on where it was', async () => {
    const commands = Array.from({ length: COMMANDS }, (_, at) =>
      world.command('display.message', { device: world.devices[at % world.devices.length]!.device }),
    );
    let answered = 0;
    for (const command of commands) {
      expect(await proposed(command)).toBe(`201 ${command.id}`);
      answered += 1;
      if (answered % 20 === 10) child.kill('SIGKILL');
    }
    await until('it is there again', () => child.state === 'ready' && child.restarts >= 3, STARTED_WITHIN_MS);
    const ids = new Set<string>();
    for (let before: number | null = null; ; ) {
      const path = `/v1/commands?limit=25${before === null ? '' : `&before=${before}`}`;
      const { json } = await ask(port, operator(), path);
      for (const { id } of json.items) ids.add(id);
      before = json.next;
      if (before === null) break;
    }
    expect([...ids].sort()).toEqual(commands.map(({ id }) => id).sort());

    // Nothing was sent to anybody who is away; when they are there, each gets one, and no second before its answer.
    expect(written).toEqual([]);
    answer = 'written';
    for (const { device } of world.devices) await wake(device);
    for (const { device } of world.devices) await wake(device);
    expect(written.toSorted()).toEqual(world.devices.map(({ device }) => device).sort());
  }, 180_000);

  it('reads its registry again on SIGHUP', async () => {
    const fresh = issueDevice(world.pki, { home: ORES, nowMs: Date.now() });
    const path = `/v1/meters/${fresh.device}`;
    expect((await ask(port, operator(), path)).status).toBe(404);
    appendFileSync(world.registry, `${JSON.stringify(world.meterLine(fresh, 0))}\n`);
    child.kill('SIGHUP');
    await until('it knows the new meter', async () => (await ask(port, operator(), path)).status === 200);
  }, 60_000);

  it('ends the open stream of somebody who was revoked on SIGHUP, and no other', async () => {
    const streams = await Promise.all(
      (['supervisor', 'operator'] as const).map((each) => open(port, world.person(each).tls, '/v1/events')),
    );
    const gone = streams.map(() => false);
    streams.forEach((stream, at) => {
      stream
        .on('error', () => undefined)
        .on('close', () => {
          gone[at] = true;
        });
      stream.resume();
    });
    const identity = readOfficeIdentity(world.office.person(ORES, 'supervisor').identity);
    revokePerson(world.pki, identity, { nowMs: Date.now() });
    child.kill('SIGHUP');
    await until('his stream is cut', () => gone[0]!);
    expect(gone[1]).toBe(false);
    expect((await ask(port, world.person('supervisor').tls, '/v1/me')).json.code).toBe('ERR_TRUST_REVOKED');
    for (const stream of streams) stream.destroy();
  }, 60_000);

  it('ends cleanly when it is asked to, with its database alone behind it', async () => {
    await supervisor.stop();
    expect(await listens(port)).toBe(false);
    expect(readdirSync(databases)).toEqual(['ores.sqlite']);
  }, 60_000);
});
