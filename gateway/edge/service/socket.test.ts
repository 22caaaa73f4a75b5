import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { askStatus, type ControlSocket, controlSocketPath, openControlSocket } from './socket.ts';
import type { EdgeStatus } from './status.ts';

let data: string;
const open: ControlSocket[] = [];
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'hes-socket-'));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  rmSync(data, { recursive: true });
});

const status = { version: 1, running: true, pid: 7 } as EdgeStatus;
const serve = async (folder = data): Promise<ControlSocket> => {
  const control = await openControlSocket(folder, () => status);
  open.push(control);
  return control;
};

describe('the control socket', () => {
  it('is refused where the path is longer than a socket’s may be', async () => {
    await expect(serve(join(data, 'x'.repeat(100)))).rejects.toMatchObject({ code: 'ERR_EDGE_SOCKET' });
  });

  it('does not remove what is no socket', async () => {
    writeFileSync(controlSocketPath(data), 'precious');
    await expect(serve()).rejects.toMatchObject({ code: 'ERR_EDGE_SOCKET' });
    expect(statSync(controlSocketPath(data)).size).toBe(8);
  });

  it('is not taken from one who answers', async () => {
    await serve();
    await expect(serve()).rejects.toMatchObject({ code: 'ERR_EDGE_RUNNING' });
    expect(await askStatus(data)).toEqual(status);
  });

  it('is taken over from one who is gone', async () => {
    const path = controlSocketPath(data);
    const killed = createServer().listen(path);
    await new Promise((resolve) => killed.once('listening', resolve));
    // What SIGKILL leaves: the file, and nobody behind it.
    const kept = join(data, 'kept');
    const { renameSync } = await import('node:fs');
    renameSync(path, kept);
    await new Promise((resolve) => killed.close(resolve));
    renameSync(kept, path);
    expect(await askStatus(data)).toBeNull();
    await serve();
    expect(await askStatus(data)).toEqual(status);
  });

  it('answers nobody but its own user, and leaves nothing', async () => {
    const control = await serve();
    expect(statSync(controlSocketPath(data)).mode & 0o777).toBe(0o600);
    await control.close();
    expect(existsSync(controlSocketPath(data))).toBe(false);
    expect(await askStatus(data)).toBeNull();
  });

  it('closes at once although somebody does not fetch its answer', async () => {
    const control = await serve();
    const lazy = connect(controlSocketPath(data)).pause();
    await new Promise((resolve) => lazy.once('connect', resolve));
    const before = performance.now();
    await control.close();
    expect(performance.now() - before).toBeLessThan(1_000);
    lazy.destroy();
  });

  it.each([
    ['nonsense', 'nonsense'],
    ['another version', '{"version":2}'],
    ['nothing', ''],
  ])('says so where what answers is %s', async (_, text) => {
    const other = createServer((socket) => socket.end(text)).listen(controlSocketPath(data));
    await new Promise((resolve) => other.once('listening', resolve));
    await expect(askStatus(data)).rejects.toMatchObject({ code: 'ERR_EDGE_STATUS' });
    await new Promise((resolve) => other.close(resolve));
  });
});
