import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type BusFixture, busContract, ORES, RESA, type Responder } from '../../gateway/bus/contract.ts';
import type { Behaviour } from '../../gateway/bus/contract-behaviours.ts';
import { temporaryDirectory } from '../../gateway/bus/local/fixture.ts';
import { startLocalHub } from '../../gateway/bus/local/hub.ts';
import { LOCAL_BUS_LIMITS } from '../../gateway/bus/local/limits.ts';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { BusSubject, TenantBus } from '../../gateway/bus/port.ts';
import { randomInteger, seededRandom } from '../../gateway/runtime/random.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

const RESPONDER = new URL('../programs/bus-responder.ts', import.meta.url);
const HUB = new URL('../programs/bus-hub.ts', import.meta.url);
const DEVICE = '00112233aabbccdd' as DeviceId;

/** Processes of one test, all gone at its end. */
class Processes {
  readonly #running = new Set<ChildProcess>();

  /** Resolves when the program has said its first word. */
  async start(program: URL, args: readonly string[]): Promise<ChildProcess> {
    const child = fork(program, [...args], { env: {}, execArgv: [] });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    await once(child, 'message');
    return child;
  }

  async kill(child: ChildProcess): Promise<void> {
    if (!this.#running.has(child)) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async killAll(): Promise<void> {
    await Promise.all([...this.#running].map((child) => this.kill(child)));
  }
}

async function startResponder(
  processes: Processes,
  directory: string,
  name: string,
  [tenant, subject, behaviour]: [TenantId, BusSubject, Behaviour],
): Promise<Responder> {
  const { bodyBytesMax } = LOCAL_BUS_LIMITS;
  const args = [directory, tenant, subject, behaviour, name, String(bodyBytesMax)];
  const child = await processes.start(RESPONDER, args);
  return {
    name,
    stop: async () => {
      child.send('stop');
      await once(child, 'message');
    },
    kill: () => processes.kill(child),
  };
}

/** Hub and asker in this process, as in the front; responders are processes, as routers are. */
async function frontAndRouters(): Promise<BusFixture> {
  const directory = temporaryDirectory();
  const processes = new Processes();
  const start = () => startLocalHub({ directory: directory.path, tenants: [ORES, RESA] });
  let hub = await start();
  let responders = 0;
  return {
    bodyBytesMax: LOCAL_BUS_LIMITS.bodyBytesMax,
    inFlightMax: LOCAL_BUS_LIMITS.inFlightMax,
    requester: async (tenant) => hub.bus(tenant),
    responder: (...what) => startResponder(processes, directory.path, `responder-${++responders}`, what),
    async restartCarrier() {
      await hub.close();
      hub = await start();
    },
    async close() {
      await processes.killAll();
      await hub.close();
      directory.remove();
    },
  };
}

/** The hub is a process too, and dies by SIGKILL; the asker is a peer, as a desk is. */
async function everyoneApart(): Promise<BusFixture> {
  const directory = temporaryDirectory();
  const processes = new Processes();
  const start = () => processes.start(HUB, [directory.path, ORES, RESA]);
  let hub = await start();
  let responders = 0;
  const requesters = new Map<TenantId, Promise<TenantBus>>();
  const connected = async (tenant: TenantId): Promise<TenantBus> => {
    const bus = connectLocalBus({ directory: directory.path, tenant });
    await (await bus.serve('up.result', async (request) => request.body)).stop();
    return bus;
  };
  return {
    bodyBytesMax: LOCAL_BUS_LIMITS.bodyBytesMax,
    inFlightMax: LOCAL_BUS_LIMITS.inFlightMax,
    requester(tenant) {
      const bus = requesters.get(tenant) ?? connected(tenant);
      requesters.set(tenant, bus);
      return bus;
    },
    responder: (...what) => startResponder(processes, directory.path, `responder-${++responders}`, what),
    async restartCarrier() {
      await processes.kill(hub);
      hub = await start();
    },
    async close() {
      await Promise.all([...requesters.values()].map(async (bus) => (await bus).close()));
      await processes.killAll();
      directory.remove();
    },
  };
}

busContract('local, routers as processes', frontAndRouters);
busContract('local, hub and routers as processes', everyoneApart);

describe('local bus under kills', () => {
  it('answers every request rightly or fails it, while hub and routers are killed at random', async () => {
    const seed = 11;
    const random = seededRandom(seed);
    const directory = temporaryDirectory();
    const processes = new Processes();
    const startHub = () => processes.start(HUB, [directory.path, ORES]);
    const startRouter = (n: number) =>
      processes.start(RESPONDER, [directory.path, ORES, 'up.index', 'echo', `router-${n}`, '262144']);
    let hub = await startHub();
    const routers = await Promise.all([0, 1].map(startRouter));
    const bus = connectLocalBus({ directory: directory.path, tenant: ORES });
    const outcomes = new Map<string, number>();
    let asking = true;
    const lane = async (id: number): Promise<void> => {
      for (let round = 0; asking; round++) {
        const body = Buffer.from(`${id}/${round}`);
        const outcome = await bus
          .request({ subject: 'up.index', device: DEVICE, body }, { deadlineMs: 2_000 })
          .then(
            (answer) => (Buffer.compare(answer, body) === 0 ? 'right' : 'wrong'),
            (error: { code: string }) => error.code,
          );
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (outcome !== 'right') await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const lanes = Array.from({ length: 50 }, (_, id) => lane(id));
    for (let kill = 0; kill < 20; kill++) {
      await new Promise((resolve) => setTimeout(resolve, randomInteger(random, 10, 150)));
      const victim = randomInteger(random, 0, 2);
      if (victim === 2) {
        await processes.kill(hub);
        hub = await startHub();
      } else {
        await processes.kill(routers[victim]!);
        routers[victim] = await startRouter(victim);
      }
    }
    asking = false;
    await Promise.all(lanes);
    const said = `seed ${seed}: ${JSON.stringify([...outcomes])}`;
    expect(outcomes.get('wrong'), said).toBeUndefined();
    expect(outcomes.get('right'), said).toBeGreaterThan(1_000);
    const allowed = ['right', 'ERR_BUS_DISCONNECTED', 'ERR_BUS_NO_RESPONDERS'];
    expect(
      [...outcomes.keys()].filter((outcome) => !allowed.includes(outcome)),
      said,
    ).toEqual([]);
    await bus.close();
    await processes.killAll();
    directory.remove();
  });

  it('opens under the permission model with the right to its folder alone', async () => {
    const directory = temporaryDirectory();
    const root = new URL('../../', import.meta.url).pathname;
    const child = fork(HUB, [directory.path, ORES], {
      env: {},
      execArgv: [
        '--permission',
        `--allow-fs-read=${root}`,
        `--allow-fs-read=${directory.path}`,
        `--allow-fs-write=${directory.path}`,
        '--allow-net',
      ],
    });
    const [word] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [unknown];
    expect(word).toBe('open');
    const gone = once(child, 'exit');
    child.disconnect();
    await gone;
    directory.remove();
  });
});
