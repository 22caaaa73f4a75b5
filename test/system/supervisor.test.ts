import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ChildSpec } from '../../gateway/runtime/child.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { EXIT_FAILURE, EXIT_OK } from '../../gateway/runtime/service.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';

const MODULE = new URL('../programs/child.ts', import.meta.url);
const WITHIN = { timeout: 10_000, interval: 20 };

describe('supervisor', () => {
  let supervisor: Supervisor;
  let lines: { child: string; line: string }[];
  const spec = (name: string, config: object = {}, more: Partial<ChildSpec> = {}): ChildSpec => ({
    name,
    module: MODULE,
    config,
    ...more,
  });

  beforeEach(() => {
    lines = [];
    supervisor = new Supervisor({
      onLine: (child, line) => lines.push({ child, line }),
      random: seededRandom(3),
      restart: { baseMs: 20, maxMs: 100 },
    });
  });
  afterEach(() => supervisor.stop());

  it('reports why a child could not start, in the child’s own words', async () => {
    await expect(supervisor.start(spec('front', { start: 'fail' }))).rejects.toMatchObject({
      code: 'ERR_SUPERVISOR_START',
      message: 'front: port 8883 is taken',
    });
    expect(supervisor.children).toHaveLength(0);
  });

  it('names the path of a configuration fault in the child', async () => {
    await expect(supervisor.start(spec('front', { after: 'run', portt: 1 }))).rejects.toMatchObject({
      code: 'ERR_SUPERVISOR_START',
      message: expect.stringContaining('unknown key portt') as string,
      context: { child: 'front', reason: 'ERR_CONFIG' },
    });
  });

  it('shows the last line of a child that crashed before it was ready', async () => {
    await expect(supervisor.start(spec('front', { start: 'crash' }))).rejects.toMatchObject({
      message: expect.stringContaining('it crashed') as string,
    });
  });

  it('kills a child that is not ready in time', async () => {
    await expect(
      supervisor.start(spec('front', { start: 'hang' }, { readyWithinMs: 1_000 })),
    ).rejects.toMatchObject({ message: 'front: was not ready within 1000 ms' });
  });

  it('refuses a module that is not there', async () => {
    await expect(
      supervisor.start({ name: 'x', module: new URL('./absent.ts', import.meta.url) }),
    ).rejects.toMatchObject({ code: 'ERR_SUPERVISOR_START' });
  });

  it('refuses a second child of the same name, and any child after the stop', async () => {
    await supervisor.start(spec('a'));
    await expect(supervisor.start(spec('a'))).rejects.toMatchObject({ code: 'ERR_SUPERVISOR_STATE' });
    await supervisor.stop();
    await expect(supervisor.start(spec('b'))).rejects.toMatchObject({ code: 'ERR_SUPERVISOR_STATE' });
  });

  it('gives a child nothing of its own environment, and the flags that it was told', async () => {
    const notices: unknown[] = [];
    await supervisor.start(
      spec(
        'a',
        {},
        {
          env: { HES_MARK: '1' },
          nodeFlags: ['--max-old-space-size=64'],
          onNotice: (notice) => notices.push(notice),
        },
      ),
    );
    await vi.waitFor(() => expect(notices).toHaveLength(1), WITHIN);
    const { environment, flags } = notices[0] as { environment: string[]; flags: string[] };
    expect(environment.filter((name) => !name.startsWith('NODE_CHANNEL'))).toEqual(['HES_MARK']);
    expect(flags).toContain('--max-old-space-size=64');
  });

  it('runs a child under the permission model', async () => {
    const root = new URL('../../', import.meta.url).pathname;
    const nodeFlags = ['--permission', `--allow-fs-read=${root}`];
    const child = await supervisor.start(spec('a', {}, { nodeFlags }));
    expect(child.state).toBe('ready');
    await child.stop();
    expect(await child.ended).toEqual({ code: EXIT_OK, signal: null });
  });

  it('restarts a killed child, and again', async () => {
    const child = await supervisor.start(spec('a'));
    for (let kills = 1; kills <= 3; kills++) {
      const pid = child.pid;
      child.kill('SIGKILL');
      await vi.waitFor(() => expect(child).toMatchObject({ state: 'ready', restarts: kills }), WITHIN);
      expect(child.pid).not.toBe(pid);
      expect(isAlive(pid)).toBe(false);
    }
  });

  it.each(['throw', 'reject', 'exit'] as const)('restarts a child that dies of "%s"', async (after) => {
    const child = await supervisor.start(spec('a', { after }));
    await vi.waitFor(() => expect(child.restarts).toBeGreaterThanOrEqual(2), WITHIN);
  });

  it('adds up the counts of a child over its lives, and not its gauges', async () => {
    const child = await supervisor.start(spec('a', { after: 'exit', afterMs: 700 }));
    await vi.waitFor(() => expect(child.counters['child.started']).toBeGreaterThanOrEqual(2), WITHIN);
    await child.stop();
    expect(child.counters['child.up'] ?? 1).toBe(1);
  });

  it('does not restart a child that is meant to end by itself', async () => {
    const child = await supervisor.start(spec('a', { after: 'exit' }, { restarts: false }));
    expect(await child.ended).toEqual({ code: 3, signal: null });
    expect(child.state).toBe('ended');
  });

  it('does not restart a child that failed for a reason which would still be there', async () => {
    const child = await supervisor.start(spec('a', { after: 'throw' }, { endsWith: ['ERR_UNEXPECTED'] }));
    expect(await child.ended).toEqual({
      code: EXIT_FAILURE,
      signal: null,
      failure: { code: 'ERR_UNEXPECTED', message: 'thrown' },
    });
    expect(child).toMatchObject({ state: 'ended', restarts: 0 });
  });

  it('stops a child cleanly: its last counters and its last line arrive', async () => {
    const child = await supervisor.start(spec('a'));
    await supervisor.stop();
    expect(await child.ended).toEqual({ code: EXIT_OK, signal: null });
    expect(child.counters).toMatchObject({ 'child.started': 1, 'child.stopped': 1 });
    const messages = lines.map(({ line }) => (JSON.parse(line) as { msg: string }).msg);
    expect(messages.slice(-2)).toEqual(['the last line', 'stopped']);
  });

  it('kills a child that does not stop within its grace', async () => {
    const child = await supervisor.start(spec('a', { after: 'freeze', afterMs: 0 }, { killAfterMs: 300 }));
    await new Promise((resolve) => setTimeout(resolve, 100));
    await supervisor.stop();
    expect(await child.ended).toEqual({ code: null, signal: 'SIGKILL' });
  });

  it('lets a child give up by itself when its own stop takes too long', async () => {
    const child = await supervisor.start(spec('a', { after: 'refuseToStop' }, { args: ['200'] }));
    await supervisor.stop();
    expect(await child.ended).toEqual({ code: EXIT_FAILURE, signal: null });
    expect(lines.at(-1)?.line).toContain('ERR_SERVICE_STOP');
  });

  it('stops a child that is still starting, without calling that a failure of the child', async () => {
    const starting = supervisor.start(spec('a', { start: 'hang' }));
    const refused = expect(starting).rejects.toMatchObject({ message: 'a: was stopped while it started' });
    await vi.waitFor(() => expect(lines.at(-1)?.line).toContain('hanging'), WITHIN);
    const child = supervisor.child('a');
    await supervisor.stop();
    await refused;
    expect(await child?.ended).toEqual({ code: EXIT_OK, signal: null });
  });

  it('stops lower ranks first, equal ones together, and the unranked before, last started first', async () => {
    const order: string[] = [];
    for (const [name, stopRank] of [
      ['x', 2],
      ['y', 1],
      ['z', 1],
      ['u', undefined],
      ['v', undefined],
    ] as const) {
      const child = await supervisor.start(
        spec(name, { stopMs: 30 }, stopRank === undefined ? {} : { stopRank }),
      );
      void child.ended.then(() => order.push(name));
    }
    await supervisor.stop();
    expect(order.slice(0, 2)).toEqual(['v', 'u']);
    expect(order.slice(2, 4).sort()).toEqual(['y', 'z']);
    expect(order[4]).toBe('x');
  });

  it('stops a child that waits for its restart', async () => {
    const slow = new Supervisor({
      onLine: () => undefined,
      random: () => 0.99,
      restart: { baseMs: 60_000, maxMs: 60_000 },
    });
    const child = await slow.start(spec('a'));
    child.kill('SIGKILL');
    await vi.waitFor(() => expect(child.state).toBe('waiting'), WITHIN);
    await slow.stop();
    expect(child.state).toBe('ended');
  });

  it('carries messages to a child and back', async () => {
    const notices: unknown[] = [];
    const child = await supervisor.start(spec('a', {}, { onNotice: (notice) => notices.push(notice) }));
    child.tell({ hello: 1 });
    await vi.waitFor(() => expect(notices).toContainEqual({ echo: { hello: 1 } }), WITHIN);
  });

  it('leaves a supervised child alone on SIGINT, which reaches the whole terminal', async () => {
    const child = await supervisor.start(spec('a'));
    child.kill('SIGINT');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(child).toMatchObject({ state: 'ready', restarts: 0 });
  });

  it('leaves no child behind when the supervisor itself is killed', async () => {
    const parent = spawn(process.execPath, [new URL('../programs/supervisor.ts', import.meta.url).pathname], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pids = JSON.parse(line.toString()) as number[];
    expect(pids.map(isAlive)).toEqual([true, true]);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await vi.waitFor(() => expect(pids.map(isAlive)).toEqual([false, false]), WITHIN);
  });
});

describe('service without a supervisor', () => {
  const run = async (config: object, act: (child: ReturnType<typeof spawn>) => void) => {
    const child = spawn(process.execPath, [MODULE.pathname], { stdio: ['pipe', 'ignore', 'pipe'] });
    child.stdin?.end(JSON.stringify(config));
    let text = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('"ready"')) act(child);
    });
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    return { code, signal, text };
  };

  it.each(['SIGINT', 'SIGTERM'] as const)('ends cleanly on %s', async (signal) => {
    const { code, text } = await run({}, (child) => child.kill(signal));
    expect(code).toBe(EXIT_OK);
    expect(text).toContain('the last line');
  });

  it('logs what nobody caught as its last line, and exits with 1', async () => {
    const { code, text } = await run({ after: 'throw' }, () => undefined);
    expect(code).toBe(EXIT_FAILURE);
    expect(JSON.parse(text.trim().split('\n').at(-1)!)).toMatchObject({
      level: 'fatal',
      err: { message: 'thrown' },
    });
  });
});

function isAlive(pid: number | undefined): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
