import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCommand } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import { hes, json } from '../desk-client/testing/cli.ts';
import { type DeskAtWork, METER, startDeskAtWork } from '../desk-client/testing/desk.ts';
import { EXIT } from '../exit.ts';

const OTHER = '00000000000000a2';
const NOWHERE = 'ffffffffffffffff';
let work: DeskAtWork;
let as: (who: string) => string[];

beforeAll(async () => {
  work = await startDeskAtWork(undefined, [METER, OTHER as typeof METER]);
  as = (who) => ['--data', work.data, '--as', who];
});
afterAll(() => work.close());

const activate = (...more: string[]) =>
  hes('op', 'prepay', 'activate', METER, '--reason', 'test', '--json', ...more);

describe('hes op refuses', () => {
  it('who names nobody, with a word on how to name somebody', async () => {
    const { exit, code, err } = await hes('op', 'list');
    expect({ exit, code }).toEqual({ exit: EXIT.usage, code: 'ERR_OP_IDENTITY' });
    expect(err).toContain('--as TENANT/NAME');
  });

  it('an identity that the data folder does not have', async () => {
    expect(await hes('op', 'list', ...as('ores/nobody'))).toMatchObject({
      exit: EXIT.usage,
      code: 'ERR_OP_IDENTITY',
    });
  });

  it('to guess a desk where none runs, and says how to start one', async () => {
    const { exit, code, err } = await hes('op', 'list', ...as('fluvius/operator'));
    expect({ exit, code }).toEqual({ exit: EXIT.notRunning, code: 'ERR_OP_NO_DESK' });
    expect(err).toContain('npm start');
  });

  it('an address where nobody answers', async () => {
    expect(await hes('op', 'list', ...as('ores/operator'), '--desk', 'https://127.0.0.1:9')).toMatchObject({
      exit: EXIT.notRunning,
      code: 'ERR_OP_NO_DESK',
    });
  }, 15_000);

  it('the desk of another tenant, before anything is sent', async () => {
    expect(await hes('op', 'list', ...as('fluvius/operator'), '--desk', work.url)).toMatchObject({
      exit: EXIT.incomplete,
      code: 'ERR_OP_DESK_IDENTITY',
    });
  });

  it('a meter that is not there', async () => {
    const { exit, code } = await hes('op', 'read', NOWHERE, ...as('ores/operator'));
    expect({ exit, code }).toEqual({ exit: EXIT.noSuch, code: 'ERR_DESK_METER' });
  });

  it('a serial in the place of a device', async () => {
    expect(await hes('op', 'read', '1SAG1105075799', ...as('ores/operator'))).toMatchObject({
      exit: EXIT.usage,
    });
  });

  it('a command by somebody whose role may not propose it, without a signature', async () => {
    const { exit, code } = await hes('op', 'read', METER, ...as('ores/supervisor'));
    expect({ exit, code }).toEqual({ exit: EXIT.noRight, code: 'ERR_COMMAND_ROLE' });
    expect(existsSync(join(work.data, 'pki/office/ores/people/supervisor.counter'))).toBe(false);
  });

  it('a critical command without a terminal that is not told --yes, at once', async () => {
    expect(await activate(...as('ores/operator'))).toMatchObject({
      exit: EXIT.usage,
      code: 'ERR_OP_CONFIRM',
      out: '',
    });
  });

  it('a critical command without a reason', async () => {
    const { exit, err } = await hes('op', 'airplane', 'on', METER, '--yes', ...as('ores/operator'));
    expect(exit).toBe(EXIT.usage);
    expect(err).toContain('--reason');
  });

  it('what is above the limits of the table', async () => {
    expect(
      await hes('op', 'limiter', METER, '100', '--reason', 'x', '--yes', ...as('ores/operator')),
    ).toMatchObject({ exit: EXIT.usage, code: 'ERR_COMMAND_SCHEMA' });
  });

  it('to leave out what only people know', async () => {
    const { exit, err } = await hes('op', 'breaker', 'arm', METER, ...as('ores/operator'));
    expect(exit).toBe(EXIT.usage);
    expect(err).toContain('--cause');
  });
});

describe('hes op', () => {
  it('proposes a routine command that runs', async () => {
    const proposed = await hes(
      ...[
        'op',
        'tariff',
        'set',
        METER,
        '--plan',
        'bi',
        '--from',
        '2027-01-01',
        '--reason',
        'case 1',
        '--json',
      ],
      ...as('ores/operator'),
    );
    expect(proposed).toMatchObject({ exit: EXIT.ok, err: '' });
    expect(proposed.out).toContain('"state":"queued"');
    const { id } = json<{ id: string }>(proposed);
    const { payload } = (await work.store.evidence(id as CommandId))!;
    expect(decodeCommand(payload)).toMatchObject({
      device: METER,
      reason: 'case 1',
      arguments: { plan: 'bi', from: '2027-01-01', windows: [{ rate: 1 }, { rate: 1 }] },
    });
    await work.answer(id);
    const shown = await hes('op', 'show', id, '--json', ...as('ores/supervisor'));
    expect(shown.out).toContain('"state":"executed"');
  });

  it('says how airplane mode ends where somebody looks for a command that ends it', async () => {
    for (const words of [[METER], [METER, '--wait'], []]) {
      const { exit, err } = await hes('op', 'airplane', 'off', ...words);
      expect(exit).toBe(EXIT.usage);
      expect(err).toContain('somebody at the meter does, with its button');
    }
  });

  it('names the limits of an amount in euros, as it is said', async () => {
    const words = ['op', 'prepay', 'balance', METER, '--balance', '99999', '--reason', 'case 1', '--dry-run'];
    const { exit, err } = await hes(...words, ...as('ores/marco'));
    expect([exit, err]).toEqual([EXIT.usage, expect.stringContaining('-500.00 € to 1000.00 €')]);
    expect(err).not.toContain('100000');
  });

  it('takes who asks before the command as after it', async () => {
    const { exit, out } = await hes(...as('ores/operator'), 'op', 'list', '--json');
    expect(exit).toBe(EXIT.ok);
    expect(JSON.parse(out)).toBeInstanceOf(Array);
  });

  it('waits for the end, and ends as the command did', async () => {
    const waiting = hes('op', 'p1', 'off', OTHER, '--wait', '--json', ...as('ores/operator'));
    const { items } = await until(() => work.desk.list({ filter: { type: 'p1.set' }, limit: 1 }));
    await work.answer(items[0]!.id, 'unsupported');
    const { exit, out } = await waiting;
    expect(exit).toBe(EXIT.refused);
    expect(JSON.parse(out)).toMatchObject({ state: 'refused', code: 'unsupported' });
  });

  it('says at Ctrl-C which command goes on', async () => {
    const program = fileURLToPath(new URL('../hes.ts', import.meta.url));
    const words = ['op', 'clock', OTHER, '--wait', '--json', ...as('ores/operator')];
    const waiting = spawn(process.execPath, [program, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
    const said = text(waiting.stderr);
    const ended = once(waiting, 'exit');
    const { items } = await until(() => work.desk.list({ filter: { type: 'clock.sync' }, limit: 1 }));
    const { id } = items[0]!;
    // It listens for Ctrl-C before it watches.
    while (work.watchers === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    waiting.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
    expect(await said).toContain(`hes op show ${id}`);
    await work.answer(id);
  }, 30_000);

  it('says that it goes on where the time for waiting is over', async () => {
    const { exit, out } = await hes(
      ...['op', 'read', OTHER, '--wait', '--timeout', '1', '--json'],
      ...as('ores/operator'),
    );
    expect(exit).toBe(EXIT.pending);
    const { id, state } = JSON.parse(out) as { id: string; state: string };
    expect(state).toBe('queued');
    const cancelled = await hes(
      'op',
      'cancel',
      id,
      '--reason',
      'not needed',
      '--json',
      ...as('ores/operator'),
    );
    expect(cancelled.out).toContain('"state":"cancelled"');
    expect(await hes('op', 'cancel', id, ...as('ores/operator'))).toMatchObject({ exit: EXIT.conflict });
  });

  it('runs a critical command after the second signature, and not before', async () => {
    const proposed = await activate('--yes', ...as('ores/operator'));
    expect(proposed.out).toContain('"state":"awaiting-approval"');
    const { id } = json<{ id: string }>(proposed);

    const own = await hes('op', 'approve', id, ...as('ores/operator'));
    expect(own).toMatchObject({ exit: EXIT.noRight, code: 'ERR_COMMAND_ROLE' });
    const systems = await hes('op', 'approve', id, ...as('ores/marco'));
    expect(systems).toMatchObject({ exit: EXIT.noRight, code: 'ERR_COMMAND_ROLE' });

    const approved = await hes('op', 'approve', id, '--json', ...as('ores/approver'));
    expect(approved).toMatchObject({ exit: EXIT.ok });
    expect(json(approved)).toMatchObject({ state: 'queued', person: 'operator', approver: 'approver' });
    expect(await hes('op', 'approve', id, ...as('ores/approver'))).toMatchObject({
      exit: EXIT.conflict,
      code: 'ERR_OP_STATE',
    });

    await work.answer(id);
    const { out } = await hes('op', 'show', id, ...as('ores/supervisor'));
    expect(out).toMatch(/^executed: /);
    expect(out).toMatch(/start-credit +20.00 €/);
    expect(out).toMatch(/approved +by approver/);
  });

  it('refuses an approval of what is not there', async () => {
    expect(await hes('op', 'approve', '0'.repeat(32), ...as('ores/approver'))).toMatchObject({
      exit: EXIT.noSuch,
    });
  });

  it('shows with --dry-run what would be signed, and takes no counter for it', async () => {
    const before = readdirSync(join(work.data, 'pki/office/ores/people')).filter((name) =>
      name.endsWith('.counter'),
    );
    const { total } = await counted();
    const { exit, out } = await hes(
      ...['op', 'prepay', 'activate', OTHER, '--start-credit', '35', '--reason', 'x', '--dry-run', '--json'],
      ...as('ores/prepayment'),
    );
    expect(exit).toBe(EXIT.ok);
    expect(JSON.parse(out)).toMatchObject({
      dryRun: true,
      desk: work.url,
      critical: true,
      signer: { role: 'prepayment' },
      command: { device: OTHER, type: 'prepayment.activate', arguments: { startCreditCents: 3_500 } },
    });
    expect((await counted()).total).toBe(total);
    expect(
      readdirSync(join(work.data, 'pki/office/ores/people')).filter((name) => name.endsWith('.counter')),
    ).toEqual(before);
  });

  it('needs no desk for a dry run', async () => {
    const { exit, out } = await hes(...['op', 'clock', OTHER, '--dry-run'], ...as('fluvius/operator'));
    expect(exit).toBe(EXIT.ok);
    expect(out).toContain('Nothing was signed or sent');
  });

  it('lists by state and kind', async () => {
    const { out } = await hes(
      'op',
      'list',
      '--state',
      'executed',
      '--type',
      'tariff.set',
      ...as('ores/supervisor'),
    );
    expect(out.trim().split('\n')).toHaveLength(2);
    expect(await hes('op', 'list', '--state', 'done', ...as('ores/supervisor'))).toMatchObject({
      exit: EXIT.usage,
    });
  });

  it('lets go on what is held above a threshold, by somebody else', async () => {
    const limit = () =>
      hes('op', 'limiter', OTHER, '5', '--reason', 'x', '--yes', '--json', ...as('ores/operator'));
    for (let count = 0; count < 20; count += 1) await limit();
    const held = json<{ id: string; state: string }>(await limit());
    expect(held.state).toBe('quarantined');
    expect(await hes('op', 'approve', held.id, ...as('ores/approver'))).toMatchObject({
      exit: EXIT.conflict,
      code: 'ERR_OP_STATE',
    });
    expect(await hes('op', 'release', held.id, ...as('ores/operator'))).toMatchObject({
      exit: EXIT.noRight,
    });
    const { out } = await hes(
      'op',
      'release',
      held.id,
      '--reason',
      'a round of works',
      ...as('ores/approver'),
    );
    expect(out).toContain(`hes op approve ${held.id}`);
  });

  const counted = async () => ({ total: (await work.desk.list({ limit: 500 })).items.length });
});

/** The first page that holds something. */
async function until<T extends { readonly items: readonly unknown[] }>(read: () => Promise<T>): Promise<T> {
  for (;;) {
    const page = await read();
    if (page.items.length > 0) return page;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
