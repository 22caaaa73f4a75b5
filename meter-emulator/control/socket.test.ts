import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../gateway/runtime/log.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { fleetError } from '../errors.ts';
import type { MeterScreen } from '../operations/screen.ts';
import { askFleet } from './client.ts';
import { fleetSocketPath } from './paths.ts';
import { type FleetRequest, REQUEST_BYTES_MAX } from './protocol.ts';
import { type FleetSocket, openFleetSocket } from './server.ts';

const DEVICE = '00112233445566ff' as DeviceId;
const screen = { simulated: true, device: DEVICE } as MeterScreen;

let data: string;
const open: FleetSocket[] = [];
const asked: FleetRequest[] = [];

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'hes-control-'));
  asked.length = 0;
});
afterEach(async () => {
  for (const socket of open.splice(0)) await socket.close();
  rmSync(data, { recursive: true });
});

async function start(folder = data): Promise<FleetSocket> {
  const answer = async (request: FleetRequest) => {
    asked.push(request);
    if (request.do === 'press') throw fleetError('ERR_FLEET_DEVICE', 'no such device');
    return { did: null, screen };
  };
  const socket = await openFleetSocket(folder, answer, silentLog);
  open.push(socket);
  return socket;
}

const say = (text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(fleetSocketPath(data));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.once('end', () => resolve(answer));
    socket.once('error', reject);
    socket.write(text);
  });

describe('the control socket of a fleet', () => {
  it('is nobody’s but its user’s, and gone afterwards', async () => {
    const socket = await start();
    expect(statSync(socket.path).mode & 0o777).toBe(0o600);
    await open.pop()!.close();
    expect(() => statSync(socket.path)).toThrow();
    await expect(askFleet(data, { do: 'screen', device: DEVICE })).rejects.toMatchObject({
      code: 'ERR_FLEET_NOT_RUNNING',
    });
  });

  it('answers a question with a screen, or with the reason of a refusal', async () => {
    await start();
    expect(await askFleet(data, { do: 'screen', device: DEVICE })).toEqual({ did: null, screen });
    expect(asked).toEqual([{ do: 'screen', device: DEVICE, label: false }]);
    await expect(askFleet(data, { do: 'press', device: DEVICE, heldMs: 1 })).rejects.toMatchObject({
      code: 'ERR_FLEET_DEVICE',
    });
  });

  it.each([
    ['no JSON', 'hello\n'],
    ['another verb', `{"do":"explode","device":"${DEVICE}"}\n`],
    ['no device', '{"do":"screen","device":"../../etc"}\n'],
    ['a word too many', `{"do":"airplane-off","device":"${DEVICE}","as":"root"}\n`],
    ['more than a line', 'x'.repeat(REQUEST_BYTES_MAX + 1)],
  ])('refuses %s', async (_, text) => {
    await start();
    expect(JSON.parse(await say(text))).toMatchObject({ ok: false, code: 'ERR_FLEET_REQUEST' });
    expect(asked).toEqual([]);
  });

  it('takes the place of a killed one, not of one that lives, nor of what is no socket', async () => {
    const path = fleetSocketPath(data);
    writeFileSync(path, '');
    await expect(start()).rejects.toMatchObject({ code: 'ERR_FLEET_SOCKET' });
    rmSync(path);
    await start();
    await expect(start()).rejects.toMatchObject({ code: 'ERR_FLEET_SOCKET' });
  });

  it('is found where the data folder’s own path is too long for a socket', async () => {
    const deep = join(data, 'd'.repeat(100));
    mkdirSync(deep);
    const socket = await start(deep);
    expect(socket.path.startsWith(deep)).toBe(false);
    expect(await askFleet(deep, { do: 'screen', device: DEVICE })).toMatchObject({ screen });
    await open.pop()!.close();
    rmSync(join(socket.path, '..'), { recursive: true });
  });

  it('is not taken for a fleet when it answers something else', async () => {
    const server = createServer((socket) => socket.resume().end('hello\n'));
    await new Promise<void>((resolve) => server.listen(fleetSocketPath(data), resolve));
    await expect(askFleet(data, { do: 'screen', device: DEVICE })).rejects.toMatchObject({
      code: 'ERR_FLEET_SOCKET',
    });
    await new Promise((resolve) => server.close(resolve));
  });
});
