import { appendFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ChildSpec } from '../../gateway/runtime/child.ts';
import type { DeviceIdentity } from '../../pki/identity.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { canaryMeters } from '../support/canaries.ts';
import { Field } from '../support/field.ts';
import { startProcesses, until } from '../support/processes.ts';
import { heldFile, type RunCommand, type RunEvent, type RunOptions, type SendResult } from './retain-run.ts';

/**
 * The canary run itself, in a process whose folder, home and temporary folder the test has chosen: everything that
 * `hes up` starts, and edges with canaries. It is told what to do on standard input and answers on standard output,
 * a line of JSON each.
 */
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const nextLine = async (): Promise<unknown> => {
  const { done, value } = await lines.next();
  return done === true ? { say: 'end' } : JSON.parse(value);
};
const tell = (event: RunEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`);

const { tenants, seed, guestOf, leaks, telling } = (await nextLine()) as RunOptions;
const tree = process.cwd();
const logs = join(tree, 'logs');
mkdirSync(logs);
const data = join(tree, 'data');
mkdirSync(data);
const field = new Field(tenants, data);
const logged = (child: string, line: string): void => appendFileSync(join(logs, `${child}.log`), `${line}\n`);

/** Days after that of the canaries, for other traffic. */
const DAYS_BACK = 3_000;

/** Held in flight for as long as it takes to copy the memory of a process. */
const PATIENT_MS = 60_000;

/**
 * In the program's own process, before it starts: when it is asked, it writes what its heap holds, after all garbage
 * was collected. V8 never overwrites what it frees, so that an image of its heap tells nothing about that.
 */
const TELLS = `import { writeHeapSnapshot } from 'node:v8';
process.on('SIGUSR2', () => {
  writeHeapSnapshot(process.env.HELD_FILE, { exposeNumericValues: true });
  process.send({ type: 'notice', notice: 'told' });
});`;

let toldHeld = Promise.withResolvers<void>();

const processes = await startProcesses(field, {
  onLine: logged,
  logLevel: 'debug',
  front: { limits: { answerTimeoutMs: 2 * PATIENT_MS } },
  router: () => ({ limits: { answerWithinMs: PATIENT_MS }, mdm: { requestMs: PATIENT_MS } }),
  change: (spec) => (telling.includes(spec.name) ? tellingWhatIsHeld(spec) : leaking(spec)),
});

/**
 * The same program, which tells what its heap holds, and where C overwrites what is freed (by glibc's tunables, and
 * without its caches of freed blocks): what is in the rest of its memory, it holds on to.
 */
function tellingWhatIsHeld(spec: ChildSpec): ChildSpec {
  const tunables = { tcache_count: 0, mxfast: 0, perturb: 170 };
  const file = heldFile(dirname(tree), spec.name);
  return {
    ...spec,
    nodeFlags: [
      ...(spec.nodeFlags ?? []),
      `--allow-fs-write=${file}`,
      `--import=data:text/javascript,${encodeURIComponent(TELLS)}`,
    ],
    onNotice: () => toldHeld.resolve(),
    env: {
      ...spec.env,
      HELD_FILE: file,
      GLIBC_TUNABLES: Object.entries(tunables)
        .map(([name, value]) => `glibc.malloc.${name}=${value}`)
        .join(':'),
    },
  };
}

/** Another program in the place of the honest one; it gets the rights that its leak takes, or the fence stays. */
function leaking(spec: ChildSpec): ChildSpec {
  const leak = leaks[spec.name];
  if (leak === undefined) return spec;
  return {
    ...spec,
    module: new URL(leak.program, import.meta.url),
    // Its log tells as much as the honest one's would.
    args: [leak.way, spec.args!.at(-1)!],
    ...(leak.fenced === true ? {} : { nodeFlags: [] }),
    config: {
      ...(spec.config as object),
      ...(leak.program.includes('front') ? { stolen: sealingKeys() } : {}),
    },
  };
}

function sealingKeys(): Record<string, unknown> {
  const { layout, owners } = field.pki;
  return Object.fromEntries(
    tenants.map((tenant) => [tenant, layout.sealing(tenant, owners.get(tenant)!.kid)]),
  );
}

/** A device for each tenant with a canary meter, and one guest meter behind the first. */
const devices = new Map<TenantId, DeviceIdentity>(
  tenants.map((tenant, at) => [tenant, field.device(tenant, at === 0 ? [guestOf] : [])]),
);
for (const identity of devices.values()) field.save(identity);
const meters = canaryMeters(seed, [...tenants, guestOf]).map((meter, at) => {
  const home = at === tenants.length ? tenants[0]! : meter.owner;
  return { ...meter, home, device: devices.get(home)!.device };
});

let noticed = Promise.withResolvers<unknown>();
const edge = await processes.supervisor.start({
  name: 'edge',
  module: new URL('./retain-edge.child.ts', import.meta.url),
  config: { devices: join(data, 'devices'), port: processes.port, daysBack: DAYS_BACK, meters },
  env: processes.front.spec.env!,
  stopRank: 0,
  readyWithinMs: 100_000,
  onNotice: (notice) => noticed.resolve(notice),
});

const pids = Object.fromEntries(processes.supervisor.children.map(({ spec, pid }) => [spec.name, pid!]));
tell({ type: 'ready', pids, pending: Number(edge.details['pending']) });

const mdms = tenants.map((tenant) => processes.mdm(tenant));
const told = async (say: 'wake' | 'traffic'): Promise<SendResult> => {
  noticed = Promise.withResolvers();
  edge.tell({ say });
  return (await noticed.promise) as SendResult;
};

const COMMANDS: Readonly<Record<Exclude<RunCommand['say'], 'end'>, () => Promise<RunEvent>>> = {
  /** Send everything, with MDMs that stand still: front and routers have it all in hand. */
  async hold() {
    for (const mdm of mdms) mdm.kill('SIGSTOP');
    void told('wake');
    // A device sends owner by owner: the guest's reading waits for the answer to the home's.
    await until('a reading of each device is held', () => processes.front.counters['held'] === devices.size);
    return { type: 'held', held: devices.size };
  },
  async release() {
    for (const mdm of mdms) mdm.kill('SIGCONT');
    return {
      type: 'sent',
      result: (await noticed.promise) as RunEvent extends { result: infer R } ? R : never,
    };
  },
  async send() {
    return { type: 'sent', result: await told('wake') };
  },
  async traffic() {
    return { type: 'sent', result: await told('traffic') };
  },
  async held() {
    for (const name of telling) {
      toldHeld = Promise.withResolvers();
      process.kill(pids[name]!, 'SIGUSR2');
      await toldHeld.promise;
    }
    return { type: 'told' };
  },
};

for (;;) {
  const { say } = (await nextLine()) as RunCommand;
  if (say === 'end') break;
  tell(await COMMANDS[say]());
}
await processes.stop();
tell({ type: 'ended' });
process.exit(0);
