import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Field, ORES } from '../../gateway/front/testing/fixture.ts';
import { Meter } from '../../gateway/front/testing/meter.ts';
import { publish } from '../../gateway/front/testing/wire.ts';
import { revokeDevice } from '../../pki/development/development.ts';
import { upTopic } from '../../protocol/topics.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/**
 * The front under Node's permission model, without any right to write and with the right to read its own files
 * only. A second fence: the first is the operating system's (ADR 0042).
 */
describe('a front without the right to write', () => {
  let field: Field;
  let child: ChildProcess;
  let next: () => Promise<Record<string, unknown>>;
  let port: number;
  let complaints = '';

  beforeAll(async () => {
    field = new Field([ORES]);
    const config = field.rawConfig({ revocationPollMs: 50 }, [ORES]);
    const { layout } = field.pki;
    const readable = [
      ROOT,
      ...Object.values(layout.front),
      layout.root.certificate,
      layout.issuing(ORES).certificate,
      layout.crl(ORES),
    ];
    const rights = [
      '--disable-warning=ExperimentalWarning',
      '--permission',
      '--allow-net',
      ...readable.map((path) => `--allow-fs-read=${path}`),
    ];
    child = spawn(
      process.execPath,
      [...rights, resolve(ROOT, 'test/programs/front-alone.ts'), JSON.stringify(config)],
      {
        stdio: ['pipe', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'] },
      },
    );
    child.stderr!.on('data', (chunk) => {
      complaints += String(chunk);
    });
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    next = async () => {
      const line = await lines.next();
      if (line.done) throw new Error(`the front ended: ${complaints}`);
      return JSON.parse(line.value) as Record<string, unknown>;
    };
    port = (await next())['port'] as number;
  });
  afterAll(() => {
    child.kill('SIGKILL');
    field.remove();
  });

  const attempt = (what: string, path: string) => {
    child.stdin!.write(`${what} ${path}\n`);
    return next();
  };

  it('cannot write a file, whoever wants it to', async () => {
    expect(await attempt('write', field.directory)).toEqual({ write: 'ERR_ACCESS_DENIED' });
    expect(await attempt('write', '/tmp')).toEqual({ write: 'ERR_ACCESS_DENIED' });
    expect(readdirSync(field.directory)).toEqual(['pki']);
  });

  it("cannot read its tenants' keys, whoever wants it to", async () => {
    const { layout } = field.pki;
    expect(await attempt('read', layout.issuing(ORES).key)).toEqual({ read: 'ERR_ACCESS_DENIED' });
    expect(await attempt('read', layout.sealing(ORES, field.pki.owners.get(ORES)!.kid).key)).toEqual({
      read: 'ERR_ACCESS_DENIED',
    });
    expect(await attempt('read', layout.front.key)).toEqual({ read: 'done' });
  });

  it('takes a reading, gives its receipt, closes a session that is revoked, and stops', async () => {
    const device = field.device(ORES);
    const meter = await Meter.ready(device, port);
    meter.send(publish({ topic: upTopic(ORES, device.device, 'index') }));
    await meter.until(() => meter.of(0x40).length > 0);
    expect(meter.of(0x30)).toHaveLength(1);
    revokeDevice(field.pki, device, { nowMs: Date.now() });
    await meter.untilClosed();
    const ended = new Promise((done) => child.once('exit', done));
    child.stdin!.end();
    expect(await ended).toBe(0);
    expect(complaints).toBe('');
  });
});
