import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { Counters } from '../../runtime/counters.ts';
import { seededRandom } from '../../runtime/random.ts';
import { ORES, RESA } from '../contract.ts';
import { cuttablePeer, temporaryDirectory } from './fixture.ts';
import { FRAME_TYPE } from './frame.ts';
import { type LocalHub, startLocalHub } from './hub.ts';
import { busDirectory, socketPath } from './paths.ts';
import { connectLocalBus } from './peer.ts';

const DEVICE = '00112233aabbccdd' as DeviceId;
const SEED = 7;

describe('local bus: folder and sockets', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let hubs: LocalHub[];
  const start = async (path = directory.path): Promise<LocalHub> => {
    const hub = await startLocalHub({ directory: path, tenants: [ORES] });
    hubs.push(hub);
    return hub;
  };
  beforeEach(() => {
    directory = temporaryDirectory();
    hubs = [];
  });
  afterEach(async () => {
    for (const hub of hubs) await hub.close();
    directory.remove();
  });

  it('refuses a second hub while the first lives, which goes on', async () => {
    const hub = await start();
    await expect(start()).rejects.toMatchObject({
      code: 'ERR_BUS_TAKEN',
      message: expect.stringContaining('another process is already the hub') as string,
    });
    const peer = connectLocalBus({ directory: directory.path, tenant: ORES });
    await peer.serve('up.index', async (request) => request.body);
    const body = new Uint8Array([1]);
    expect(
      await hub.bus(ORES).request({ subject: 'up.index', device: DEVICE, body }, { deadlineMs: 1_000 }),
    ).toEqual(body);
    await peer.close();
  });

  it('takes over the socket that a killed hub left', async () => {
    const path = socketPath(directory.path, ORES);
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(spawnSync(process.execPath, ['-e', script]).signal).toBe('SIGKILL');
    expect(existsSync(path)).toBe(true);
    await start();
  });

  it('does not remove what is no socket', async () => {
    const path = socketPath(directory.path, ORES);
    writeFileSync(path, 'precious', { mode: 0o600 });
    await expect(start()).rejects.toMatchObject({ code: 'ERR_BUS_DIRECTORY' });
    expect(existsSync(path)).toBe(true);
  });

  it('leaves no socket behind when it could not open all of them', async () => {
    writeFileSync(join(directory.path, 'resa.sock'), '', { mode: 0o600 });
    await expect(startLocalHub({ directory: directory.path, tenants: [ORES, RESA] })).rejects.toThrow();
    expect(existsSync(socketPath(directory.path, ORES))).toBe(false);
  });

  it('makes folder and socket for this user alone', async () => {
    const path = join(directory.path, 'deep', 'bus');
    await start(path);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('700');
    expect((statSync(socketPath(path, ORES)).mode & 0o777).toString(8)).toBe('600');
  });

  it.each([0o750, 0o707, 0o777])('refuses a folder of mode %o on both sides', async (mode) => {
    const path = join(directory.path, 'bus');
    mkdirSync(path);
    chmodSync(path, mode);
    await expect(start(path)).rejects.toMatchObject({ code: 'ERR_BUS_DIRECTORY' });
    expect(() => connectLocalBus({ directory: path, tenant: ORES })).toThrow(
      expect.objectContaining({ code: 'ERR_BUS_DIRECTORY' }),
    );
  });

  it('refuses a folder that is a link', async () => {
    const path = join(directory.path, 'bus');
    symlinkSync(tmpdir(), path);
    await expect(start(path)).rejects.toMatchObject({ code: 'ERR_BUS_DIRECTORY' });
  });

  it('refuses, as a peer, a socket that others may use', async () => {
    await start();
    chmodSync(socketPath(directory.path, ORES), 0o660);
    expect(() => connectLocalBus({ directory: directory.path, tenant: ORES })).toThrow(
      /is open to others \(mode 660\)/,
    );
  });

  it('says so when the path is too long for a socket', async () => {
    const path = join(directory.path, 'x'.repeat(90));
    await expect(start(path)).rejects.toMatchObject({
      code: 'ERR_BUS_PATH',
      message: expect.stringContaining('choose a shorter folder') as string,
    });
  });

  it('chooses a private folder for temporary files when the data folder’s path is long, always the same', () => {
    expect(busDirectory('/var/lib/hes')).toBe('/var/lib/hes/bus');
    const long = busDirectory(`/home/${'a'.repeat(90)}`);
    expect(long.startsWith(join(tmpdir(), 'hes-'))).toBe(true);
    expect(busDirectory(`/home/${'a'.repeat(90)}/`)).toBe(long);
    expect(busDirectory(`/home/${'b'.repeat(90)}`)).not.toBe(long);
    expect(() => socketPath(long, 'a'.repeat(32) as TenantId)).not.toThrow();
  });

  it('knows no tenant but its own', async () => {
    const hub = await start();
    expect(() => hub.bus(RESA)).toThrow(expect.objectContaining({ code: 'ERR_BUS_TENANT' }));
  });
});

describe('local bus: strangers at the socket', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let hub: LocalHub;
  let counters: Counters;
  beforeEach(async () => {
    directory = temporaryDirectory();
    counters = new Counters();
    hub = await startLocalHub({
      directory: directory.path,
      tenants: [ORES, RESA],
      counters,
      limits: { connectionsMax: 4, writeBufferBytesMax: 1024 * 1024 },
    });
  });
  afterEach(async () => {
    await hub.close();
    directory.remove();
  });

  const dial = (tenant = ORES): Socket => {
    const socket = connect(socketPath(directory.path, tenant));
    socket.on('error', () => undefined);
    socket.resume();
    return socket;
  };
  const closed = (socket: Socket): Promise<void> =>
    new Promise((resolve) => socket.once('close', () => resolve()));
  const hello = (tenant: string): Buffer =>
    frame(FRAME_TYPE.hello, Buffer.concat([Buffer.from([1]), Buffer.from(tenant)]));
  const frame = (type: number, body: Uint8Array): Buffer => {
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length + 1);
    head[4] = type;
    return Buffer.concat([head, body]);
  };

  it.each([
    ['serves before its hello', () => frame(FRAME_TYPE.serve, Buffer.from([0])), 'unexpected'],
    ['says hello twice', () => Buffer.concat([hello('ores'), hello('ores')]), 'unexpected'],
    [
      'sends what only a hub sends',
      () => Buffer.concat([hello('ores'), frame(FRAME_TYPE.welcome, Buffer.from([1]))]),
      'unexpected',
    ],
    ['speaks HTTP', () => Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'malformed'],
    ['names another tenant', () => hello('resa'), 'ended'],
    ['names an unknown tenant', () => hello('nobody'), 'ended'],
    [
      'speaks another version',
      () => frame(FRAME_TYPE.hello, Buffer.concat([Buffer.from([9]), Buffer.from('ores')])),
      'ended',
    ],
  ])('one that %s is cut off and counted', async (_what, bytes, end) => {
    const socket = dial();
    socket.write(bytes());
    await closed(socket);
    await vi.waitFor(() => expect(counters.get(`bus.peer.${end}`)).toBe(1));
    expect(counters.get('bus.peers')).toBe(0);
  });

  it('one that answers what it was never asked is only counted', async () => {
    const socket = dial();
    socket.write(Buffer.concat([hello('ores'), frame(FRAME_TYPE.answer, Buffer.from([0, 0, 0, 9, 1]))]));
    await vi.waitFor(() => expect(counters.get('bus.late')).toBe(1));
    socket.destroy();
  });

  it('random bytes never end the hub, and each such connection is closed', async () => {
    const random = seededRandom(SEED);
    const served = connectLocalBus({ directory: directory.path, tenant: ORES });
    await served.serve('up.index', async (request) => request.body);
    for (let run = 0; run < 150; run++) {
      const socket = dial();
      const noise = Buffer.from(
        Array.from({ length: 1 + Math.floor(random() * 300) }, () => Math.floor(random() * 256)),
      );
      if (random() < 0.5) socket.write(hello('ores'));
      socket.end(noise);
      await closed(socket);
    }
    const body = new Uint8Array([5]);
    expect(
      await hub.bus(ORES).request({ subject: 'up.index', device: DEVICE, body }, { deadlineMs: 2_000 }),
    ).toEqual(body);
    expect(counters.get('bus.peer.malformed')).toBeGreaterThan(20);
    await served.close();
  });

  it('one that never reads what it makes the hub say is cut off', async () => {
    const socket = connect(socketPath(directory.path, ORES));
    socket.on('error', () => undefined);
    socket.write(hello('ores'));
    const serve = Buffer.concat(
      Array.from({ length: 20_000 }, () => frame(FRAME_TYPE.serve, Buffer.from([0]))),
    );
    const untilMs = performance.now() + 4_000;
    while (counters.get('bus.peer.slow') === 0 && performance.now() < untilMs) {
      if (!socket.writableNeedDrain) socket.write(serve);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(counters.get('bus.peer.slow')).toBe(1);
    socket.destroy();
  });

  it('more connections than the bound are refused, the others stay', async () => {
    const peers = Array.from({ length: 4 }, () =>
      connectLocalBus({ directory: directory.path, tenant: ORES }),
    );
    await Promise.all(peers.map((peer) => peer.serve('up.index', async (request) => request.body)));
    const fifth = connectLocalBus({ directory: directory.path, tenant: ORES });
    const serving = fifth.serve('up.index', async (request) => request.body);
    const refused = expect(serving).rejects.toMatchObject({ code: 'ERR_BUS_CLOSED' });
    await vi.waitFor(() => expect(counters.get('bus.peer.ended')).toBeGreaterThan(0));
    expect(counters.get('bus.peers')).toBe(4);
    await Promise.all([fifth, ...peers].map((peer) => peer.close()));
    await refused;
  });
});

describe('local bus: peers', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  beforeEach(() => {
    directory = temporaryDirectory();
  });
  afterEach(() => directory.remove());

  const ask = (hub: LocalHub, body = new Uint8Array([1]), deadlineMs = 3_000): Promise<Uint8Array> =>
    hub.bus(ORES).request({ subject: 'up.index', device: DEVICE, body }, { deadlineMs });

  it('may start before the hub, and fail their requests at once until it is there', async () => {
    const counters = new Counters();
    const peer = connectLocalBus({
      directory: directory.path,
      tenant: ORES,
      counters,
      random: seededRandom(SEED),
    });
    const serving = peer.serve('up.index', async (request) => request.body);
    await expect(
      peer.request({ subject: 'up.index', device: DEVICE, body: new Uint8Array(1) }, { deadlineMs: 1_000 }),
    ).rejects.toMatchObject({ code: 'ERR_BUS_DISCONNECTED' });
    const hub = await startLocalHub({ directory: directory.path, tenants: [ORES] });
    await serving;
    expect(await ask(hub)).toEqual(new Uint8Array([1]));
    expect(counters.get('bus.connected')).toBe(1);
    await peer.close();
    await hub.close();
  });

  it('do not answer on a new connection what they were asked on the old one', async () => {
    const hub = await startLocalHub({ directory: directory.path, tenants: [ORES] });
    const peer = cuttablePeer({ directory: directory.path, tenant: ORES });
    const asked: (() => void)[] = [];
    await peer.bus.serve(
      'up.index',
      (request) => new Promise((resolve) => asked.push(() => resolve(request.body))),
    );
    const first = expect(ask(hub, new Uint8Array([1]))).rejects.toMatchObject({
      code: 'ERR_BUS_DISCONNECTED',
    });
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    peer.cut();
    await first;
    let second: Promise<Uint8Array> | undefined;
    await vi.waitFor(async () => {
      second = ask(hub, new Uint8Array([2]));
      void second.catch(() => undefined);
      await vi.waitFor(() => expect(asked).toHaveLength(2), { timeout: 60 });
    });
    for (const answer of asked) answer();
    expect(await second).toEqual(new Uint8Array([2]));
    await peer.bus.close();
    await hub.close();
  });

  it('get nothing more once they do not read, and the bytes that wait for them are bounded', async () => {
    const limits = { writeBufferBytesMax: 1024 * 1024, inFlightMax: 100_000 };
    const hub = await startLocalHub({ directory: directory.path, tenants: [ORES], limits });
    const frozen: Socket[] = [];
    const peer = connectLocalBus({
      directory: directory.path,
      tenant: ORES,
      dial: (path) => {
        const socket = connect(path);
        frozen.push(socket);
        return socket;
      },
    });
    await peer.serve('up.index', async (request) => request.body);
    for (const socket of frozen) socket.pause();
    const body = new Uint8Array(10_000);
    const codes = await Promise.all(
      Array.from({ length: 1_000 }, () => ask(hub, body, 400).catch((error: { code: string }) => error.code)),
    );
    const counts = Map.groupBy(codes, (code) => code);
    expect(counts.get('ERR_BUS_OVERLOADED')?.length).toBeGreaterThan(800);
    expect(counts.get('ERR_BUS_TIMEOUT')?.length).toBeGreaterThan(50);
    for (const socket of frozen) socket.resume();
    await vi.waitFor(async () => expect(await ask(hub)).toEqual(new Uint8Array([1])));
    await peer.close();
    await hub.close();
  });

  it('run no more handlers at once than their bound', async () => {
    const hub = await startLocalHub({ directory: directory.path, tenants: [ORES] });
    const peer = connectLocalBus({ directory: directory.path, tenant: ORES, limits: { handlersMax: 10 } });
    let running = 0;
    let most = 0;
    await peer.serve('up.index', async (request) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 20));
      running--;
      return request.body;
    });
    const codes = await Promise.all(
      Array.from({ length: 50 }, () =>
        ask(hub).then(
          () => 'answered',
          (error: { code: string }) => error.code,
        ),
      ),
    );
    expect(most).toBe(10);
    expect(codes.filter((code) => code === 'ERR_BUS_OVERLOADED')).toHaveLength(40);
    await peer.close();
    await hub.close();
  });

  it('give a hub that hangs its time to say hello, and no more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const path = socketPath(directory.path, ORES);
      const mute = createServer((socket) => socket.resume());
      const before = process.umask(0o177);
      await new Promise<void>((resolve) => mute.listen(path, resolve));
      process.umask(before);
      const counters = new Counters();
      const peer = connectLocalBus({ directory: directory.path, tenant: ORES, counters });
      await vi.advanceTimersByTimeAsync(5_100);
      vi.useRealTimers();
      await vi.waitFor(() => expect(counters.get('bus.link.handshake')).toBe(1));
      await peer.close();
      mute.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
