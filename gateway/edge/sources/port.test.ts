import { createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AUTHENTICATION_KEY_LUXEMBOURG } from '../p1/glo-keys.ts';
import { sealGlo } from '../p1/glo-seal.ts';
import { fileLink, streamLink } from './stream.ts';
import { tcpLink } from './tcp.ts';
import { type RunningPort, startPort, telegramText } from './testing/port.ts';

const HOST = '127.0.0.1';
const ended: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

/** A bridge that does with each connection what the test says. */
async function bridge(
  serve: (socket: Socket) => void,
  port = 0,
): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(port, HOST, resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  ended.push(close);
  return { port: (server.address() as { port: number }).port, close };
}

function read(
  link: Parameters<typeof startPort>[0],
  options: Parameters<typeof startPort>[1] = {},
): RunningPort {
  const running = startPort(link, options);
  ended.push(() => running.stop());
  return running;
}

/** Send `make(0)`, `make(1)` … for as long as the connection lasts. */
function repeat(socket: Socket, everyMs: number, make: (turn: number) => string | Uint8Array): void {
  let turn = 0;
  const timer = setInterval(() => socket.write(make(turn++)), everyMs);
  socket.on('close', () => clearInterval(timer));
}

const until = (so: () => void): Promise<void> => vi.waitFor(so, { timeout: 3000, interval: 10 });

describe('a P1 bridge over TCP', () => {
  it('that is not there is said once, tried again with a growing wait, and read when it comes', async () => {
    const { port, close } = await bridge(() => {});
    await close();
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.said).toEqual(['unreachable']));
    await delay(200);
    expect(running.port.status()).toMatchObject({ state: 'unreachable', openings: 0 });
    await bridge((socket) => repeat(socket, 5, (turn) => telegramText(turn)), port);
    await until(() => expect(running.seen.length).toBeGreaterThan(3));
    expect(running.said).toEqual(['unreachable', 'receiving']);
  });

  it('that serves one reader at a time and hangs up is said once', async () => {
    const { port } = await bridge((socket) => socket.end());
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.port.status().openings).toBeGreaterThan(5));
    expect(running.said).toEqual(['hung-up']);
  });

  it('that loses its network and comes back goes on where it was, one line for each change', async () => {
    const serve = (socket: Socket): void => repeat(socket, 5, (turn) => telegramText(turn));
    const first = await bridge(serve);
    const running = read(tcpLink({ host: HOST, port: first.port }));
    await until(() => expect(running.seen.length).toBeGreaterThan(3));
    await first.close();
    await until(() => expect(running.said.at(-1)).toBe('unreachable'));
    const before = running.seen.length;
    await bridge(serve, first.port);
    await until(() => expect(running.seen.length).toBeGreaterThan(before + 3));
    expect(running.said).toEqual(['receiving', 'hung-up', 'unreachable', 'receiving']);
  });

  it('behind which the customer port is closed sends nothing, and that is what is said', async () => {
    const { port } = await bridge(() => {});
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.said).toEqual(['port-closed']));
    await until(() => expect(running.port.status().openings).toBeGreaterThan(1));
    expect(running.said).toEqual(['port-closed']);
  });

  it('that falls silent is opened afresh, and is said to be silent once', async () => {
    let connections = 0;
    const { port } = await bridge((socket) => {
      connections += 1;
      if (connections !== 2) socket.write(telegramText(connections));
    });
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.said).toEqual(['receiving', 'silent', 'receiving']));
    expect(running.seen).toEqual([1000, 3000]);
  });

  it('at the wrong speed sends a stream of garbage', async () => {
    const garbage = Buffer.from([0x00, 0xf8, 0x80, 0xfe, 0xc0, 0x1f, 0xff, 0x80]);
    const { port } = await bridge((socket) => repeat(socket, 5, () => garbage));
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.said).toEqual(['wrong-speed']));
    await delay(400);
    expect(running.said).toEqual(['wrong-speed']);
    expect(running.port.status().noiseBytes).toBeGreaterThan(0);
  });

  it('with noise between its telegrams loses none of them, and nothing is said about it', async () => {
    const { port } = await bridge((socket) =>
      repeat(socket, 5, (turn) => `\u0007/x!${telegramText(turn)}\u0003`),
    );
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.seen.length).toBeGreaterThan(40));
    expect(running.seen).toEqual(running.seen.map((_, turn) => turn * 1000));
    expect(running.said).toEqual(['receiving']);
  });

  it('whose telegrams are encrypted for another key says so, and not that the line is bad', async () => {
    const keys = { encryption: Buffer.alloc(16, 1), authentication: AUTHENTICATION_KEY_LUXEMBOURG };
    const title = Buffer.from('SAG00001');
    const frame = (turn: number): Buffer =>
      sealGlo(Buffer.from(telegramText(turn)), { keys, title, counter: turn });
    const { port } = await bridge((socket) => repeat(socket, 10, frame));
    const blind = read(tcpLink({ host: HOST, port }));
    const sighted = read(tcpLink({ host: HOST, port }), { reading: { keys, acceptUnverified: true } });
    await until(() => expect(blind.said).toEqual(['undecipherable']));
    await until(() => expect(sighted.said).toEqual(['WARNING', 'receiving']));
    expect(blind.seen).toEqual([]);
  });

  it('gives the same telegrams whatever pieces the network makes of them', async () => {
    const all = Buffer.from(Array.from({ length: 30 }, (_, turn) => telegramText(turn)).join(''));
    const { port } = await bridge((socket) => {
      let at = 0;
      const timer = setInterval(() => {
        const next = at + 1 + ((at * 31) % 97);
        socket.write(all.subarray(at, next));
        at = next;
        if (at >= all.length) clearInterval(timer);
      }, 1);
      socket.setNoDelay(true).on('close', () => clearInterval(timer));
    });
    const running = read(tcpLink({ host: HOST, port }));
    await until(() => expect(running.seen).toHaveLength(30));
    expect(running.port.status().faults).toEqual({});
  });

  it('ends at once when it is told to, also while it connects or waits', async () => {
    const running = read(tcpLink({ host: '192.0.2.1', port: 9 }), {
      timing: { ...(await import('./testing/port.ts')).QUICK, connectMs: 60_000 },
    });
    await delay(20);
    const before = performance.now();
    await running.stop();
    expect(performance.now() - before).toBeLessThan(500);
  });
});

describe('a file or a pipe', () => {
  it('that is not there is said, and not tried again', async () => {
    const running = startPort(fileLink('/does/not/exist'));
    await until(() => expect(running.said).toEqual(['unplugged']));
    await running.stop();
  });

  it('is read to its end, and a telegram without a last line end is taken', async () => {
    const pipe = new PassThrough();
    const running = startPort(streamLink(() => pipe));
    pipe.write(telegramText(1));
    pipe.end(telegramText(2).trimEnd());
    await until(() => expect(running.said).toEqual(['receiving', 'ended']));
    expect(running.seen).toEqual([1000, 2000]);
    await running.stop();
  });
});
