import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { makeFrontServer, writeServer } from '../../../pki/testing/server.ts';
import { type Door, Field, ORES, openDoor } from '../../front/testing/fixture.ts';
import { Meter } from '../../front/testing/meter.ts';
import { hes, json } from '../desk-client/testing/cli.ts';
import { EXIT } from '../exit.ts';

const NEVER_MS = 3_600_000;
const folder = mkdtempSync(join(tmpdir(), 'hes-ticket-keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'ticket-keys');
const rotate = (...more: string[]) => hes('pki', 'ticket-keys', file, ...more);

describe('hes pki ticket-keys', () => {
  it('leaves a file that is none of ticket keys as it is', async () => {
    const other = join(folder, 'server.key');
    writeFileSync(other, 'somebody else’s');
    expect(await hes('pki', 'ticket-keys', other)).toMatchObject({ code: 'ERR_USAGE' });
    expect(readFileSync(other, 'utf8')).toBe('somebody else’s');
    expect((await hes('pki', 'ticket-keys', join(folder, 'none', 'keys'))).code).toMatch(/^ERR_/);
    rmSync(other);
  });

  it('makes 48 bytes that its owner alone reads, other ones each time, and leaves nothing beside them', async () => {
    const said = async (...more: string[]) => json(await rotate('--json', ...more));
    expect(await said('--dry-run')).toEqual({ file, rotated: false, dryRun: true });
    expect(readdirSync(folder)).toEqual([]);
    expect(await said()).toEqual({ file, rotated: false, dryRun: false });
    const first = readFileSync(file);
    expect([first.length, statSync(file).mode & 0o777]).toEqual([48, 0o600]);
    const again = await rotate();
    expect(again).toMatchObject({ exit: EXIT.ok });
    expect(again.out).toContain('other ticket keys');
    expect(readFileSync(file).equals(first)).toBe(false);
    expect(readdirSync(folder)).toEqual(['ticket-keys']);
  });
});

describe('two fronts that share the file', () => {
  it('resume each other’s sessions; after a rotation an old ticket leads to a full handshake and to no error', async () => {
    const field = new Field([ORES]);
    const device = field.device(ORES);
    await rotate();
    const tls = { ...field.pki.layout.front, ticketKeys: file };
    const doors = await Promise.all(
      // They look when they are told to, as by SIGHUP.
      [1, 2].map(() => openDoor(field, { tls, tenants: [ORES], limits: { revocationPollMs: NEVER_MS } })),
    );
    const [first, second] = doors as [Door, Door];
    /** CONNECT is answered; how its handshake was, and a session for the next. */
    const visit = async ({ port }: Door, session?: Buffer) => {
      const meter = await Meter.ready(device, port, session === undefined ? {} : { session });
      const resumed = meter.socket.isSessionReused();
      // A session that is resumed goes on by its ticket, and gets no other here.
      if (!resumed) await meter.until(() => meter.session !== undefined);
      await meter.leave();
      return { resumed, session: meter.session };
    };
    try {
      const old = await visit(first);
      expect(await visit(second, old.session)).toMatchObject({ resumed: true });
      await rotate();
      // Each goes on by the old keys until it has looked.
      expect(await visit(second, old.session)).toMatchObject({ resumed: true });
      for (const door of doors) await door.front.reload();
      for (const door of doors) expect(await visit(door, old.session)).toMatchObject({ resumed: false });
      const young = await visit(second);
      expect(await visit(first, young.session)).toMatchObject({ resumed: true });
      // The keys that were rotated stay those in force where the certificate is renewed after it.
      writeServer(field.pki.layout.front, makeFrontServer(field.pki));
      await first.front.reload();
      expect(await visit(first, young.session)).toMatchObject({ resumed: true });
      for (const { counters } of doors)
        expect(Object.keys(counters.snapshot()).filter((name) => name.startsWith('refused.'))).toEqual([]);
    } finally {
      await Promise.all(doors.map((door) => door.stop()));
      field.remove();
    }
  });
});
