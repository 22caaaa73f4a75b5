import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCommand } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { CampaignId } from '../../desk/campaigns/id.ts';
import { hes, json } from '../desk-client/testing/cli.ts';
import { type DeskAtWork, startDeskAtWork } from '../desk-client/testing/desk.ts';
import { EXIT } from '../exit.ts';
import type { CampaignView } from './views.ts';

/** What people type, against a desk over mutual TLS. */

const COUNT = 600;
const METERS = Array.from(
  { length: COUNT },
  (_, n) => (0x1000 + n).toString(16).padStart(16, '0') as DeviceId,
);
let work: DeskAtWork;
let as: (who: string) => string[];
let file: (name: string, text: string) => string;

beforeAll(async () => {
  work = await startDeskAtWork(undefined, METERS);
  as = (who) => ['--data', work.data, '--as', who];
  file = (name, text) => {
    const path = join(work.data, name);
    writeFileSync(path, text);
    return path;
  };
});
afterAll(() => work.close());

const csv = (devices: readonly string[], column = ''): string =>
  `device${column === '' ? '' : `,${column.split('=')[0]}`}\n${devices
    .map((device) => `${device}${column === '' ? '' : `,${column.split('=')[1]}`}\n`)
    .join('')}`;
const campaign = (...words: string[]) => hes('op', 'campaign', ...words);

async function submitted(path: string, ...more: string[]): Promise<CampaignView> {
  const words = ['submit', path, '--type', 'p1.set', '--set', 'port=off', '--yes', '--json', ...more];
  const ended = await campaign(...words, ...as('ores/operator'));
  expect(ended.exit, ended.err).toBe(EXIT.ok);
  return json<CampaignView>(ended);
}

/** What the desk's own runner and the meters would do. */
async function run(id: CampaignId, answer: (n: number) => 'unsupported' | undefined = () => undefined) {
  for (;;) {
    while (await work.desk.campaigns.pass());
    const open = await work.desk.campaigns.results(id, { after: -1, limit: 500, state: 'open' });
    if (open.length === 0) return;
    for (const { command, n } of open) await work.answer(command, answer(n));
  }
}

/** Breaks a connection after so many bytes to the desk, so many times. */
async function brokenWay(
  bytes: number,
  times: number,
): Promise<{ url: string; breaks(): number; close(): void }> {
  let breaks = 0;
  const sockets = new Set<Socket>();
  const server: Server = createServer((from) => {
    const to = connect(Number(new URL(work.url).port), '127.0.0.1');
    let left = breaks < times ? bytes : Number.POSITIVE_INFINITY;
    for (const socket of [from, to]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        from.destroy();
        to.destroy();
      });
    }
    to.pipe(from);
    from.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left > 0) to.write(chunk);
      else {
        breaks += 1;
        from.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    breaks: () => breaks,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe('hes op campaign refuses', () => {
  it('a file with bad lines, all of them named, and signs nothing', async () => {
    const path = file(
      'bad.csv',
      `device,port\n${METERS[0]},off\nx,off\n${METERS[1]},maybe\n${METERS[0]},on\n`,
    );
    const { exit, err, code } = await campaign(
      'submit',
      path,
      '--type',
      'p1.set',
      '--yes',
      ...as('ores/operator'),
    );
    expect({ exit, code }).toEqual({ exit: EXIT.incomplete, code: 'ERR_CAMPAIGN_LINES' });
    expect(err.match(/bad\.csv:\d+: \w+/g)).toEqual([
      'bad.csv:3: device',
      'bad.csv:4: port',
      'bad.csv:5: device',
    ]);
    expect(existsSync(`${path}.signed`)).toBe(false);
    const check = await campaign('check', path, '--type', 'p1.set', '--json', ...as('ores/operator'));
    expect(json(check)).toMatchObject({ commands: 1, faults: 3 });
    expect(check.exit).toBe(EXIT.incomplete);
  });

  it('meters that the desk would refuse, unless they are left out', async () => {
    const path = file('unknown.csv', csv([METERS[0]!, 'ffffffffffffffff']));
    const words = [path, '--type', 'p1.set', '--set', 'port=on'];
    const dry = await campaign('dry-run', ...words, '--json', ...as('ores/operator'));
    expect(dry.exit).toBe(EXIT.refused);
    expect(json(dry)).toMatchObject({ lines: 2, standings: { ready: 1, unknown: 1 }, refused: 1 });
    expect(await campaign('submit', ...words, '--yes', ...as('ores/operator'))).toMatchObject({
      exit: EXIT.refused,
      code: 'ERR_CAMPAIGN_METERS',
    });
    const contact = join(work.data, 'contact.csv');
    const skipped = await campaign(
      ...['dry-run', ...words, '--json', '--skip', 'refused', '--contact', contact],
      ...as('ores/operator'),
    );
    expect(json(skipped)).toMatchObject({ commands: 1, refused: 0 });
    expect(readFileSync(contact, 'utf8')).toBe('device,why,airplane since\nffffffffffffffff,unknown,\n');
  });

  it('to sign without a terminal that is not told --yes, and who may not propose it', async () => {
    const path = file('one.csv', csv([METERS[0]!]));
    const words = ['submit', path, '--type', 'p1.set', '--set', 'port=on'];
    expect(await campaign(...words, ...as('ores/operator'))).toMatchObject({ code: 'ERR_OP_CONFIRM' });
    expect(await campaign(...words, '--yes', ...as('ores/supervisor'))).toMatchObject({
      exit: EXIT.noRight,
      code: 'ERR_COMMAND_ROLE',
    });
    expect(existsSync(`${path}.signed`)).toBe(false);
  });

  it.each([
    [['--type', 'p1.sett'], 'ERR_COMMAND_TYPE'],
    [['--type', 'p1.set', '--set', 'off'], 'ERR_USAGE'],
    [['--type', 'p1.set', '--waves', '10,x'], null],
    [['--type', 'p1.set', '--error-limit', '101'], null],
    [['--type', 'p1.set', '--skip', 'ready'], null],
    [['--type', 'p1.set', '--set', 'port=on', '--valid-for', '400d'], 'ERR_USAGE'],
    [[], 'ERR_USAGE'],
  ])('wrong words: %j', async (words, code) => {
    const path = file('words.csv', csv([METERS[0]!]));
    const ended = await campaign('submit', path, ...words, '--yes', ...as('ores/operator'));
    expect(ended).toMatchObject({ exit: EXIT.usage, code });
  });

  it('the office of another tenant, before anything is sent', async () => {
    const path = file('other.csv', csv([METERS[0]!]));
    const words = ['submit', path, '--type', 'p1.set', '--set', 'port=on', '--yes', '--desk', work.url];
    expect(await campaign(...words, ...as('fluvius/operator'))).toMatchObject({
      code: 'ERR_OP_DESK_IDENTITY',
    });
    expect(
      await campaign('approve', 'f'.repeat(32), '--yes', '--desk', work.url, ...as('fluvius/approver')),
    ).toMatchObject({ code: 'ERR_OP_DESK_IDENTITY' });
    expect(existsSync(`${path}.signed`)).toBe(false);
  });

  it('a campaign that is not there, and what is no id of one', async () => {
    expect(await campaign('show', 'f'.repeat(32), ...as('ores/operator'))).toMatchObject({
      exit: EXIT.noSuch,
      code: 'ERR_CAMPAIGN',
    });
    expect(await campaign('show', 'x', ...as('ores/operator'))).toMatchObject({ exit: EXIT.usage });
  });
});

describe('hes op campaign', () => {
  it('goes on where it was when the connection is lost, within the command and after it', async () => {
    const way = await brokenWay(300_000, 2);
    try {
      const view = await submitted(file('broken.csv', csv(METERS)), '--desk', way.url);
      expect(view).toMatchObject({ state: 'awaiting-approval', received: COUNT });
      expect(way.breaks()).toBeGreaterThan(0);
    } finally {
      way.close();
    }
  }, 30_000);

  it('takes up the signed file of a run that was cut off, which is its owner’s alone', async () => {
    const path = file('cut.csv', csv(METERS.slice(0, 550)));
    const words = ['submit', path, '--type', 'p1.set', '--set', 'port=on', '--yes', '--patience', '0s'];
    const nowhere = await campaign(...words, '--desk', 'https://127.0.0.1:9', ...as('ores/operator'));
    expect(nowhere.exit).toBe(EXIT.notRunning);
    // Nothing was signed for a desk that could not be asked about the meters.
    expect(existsSync(`${path}.signed`)).toBe(false);

    const way = await brokenWay(200_000, Number.POSITIVE_INFINITY);
    const cut = await campaign(...words, '--desk', way.url, ...as('ores/operator'));
    way.close();
    expect(cut.exit).toBe(EXIT.notRunning);
    expect(cut.err).toContain(`--resume ${path}.signed`);
    expect(statSync(`${path}.signed`).mode & 0o077).toBe(0);
    expect(await campaign(...words, ...as('ores/operator'))).toMatchObject({ code: 'ERR_CAMPAIGN_BUNDLE' });
    const resumed = await campaign('submit', '--resume', `${path}.signed`, '--json', ...as('ores/operator'));
    expect(json(resumed)).toMatchObject({ state: 'awaiting-approval', received: 550 });
    expect(existsSync(`${path}.signed`)).toBe(false);
  }, 30_000);

  it('is approved by a second person, runs, and repeats what failed with signatures of its own', async () => {
    const path = file('park.csv', csv(METERS.slice(0, 40)));
    const { id } = await submitted(path, '--waves', '3,10', '--error-limit', '20', '--reason', 'Télé-relève');
    for (const [who, exit, code] of [
      ['ores/operator', EXIT.noRight, 'ERR_CAMPAIGN_SAME_PERSON'],
      ['ores/supervisor', EXIT.noRight, 'ERR_CAMPAIGN_ROLE'],
    ] as const)
      expect(await campaign('approve', id, '--yes', ...as(who))).toMatchObject({ exit, code });
    expect(await campaign('approve', id, ...as('ores/approver'))).toMatchObject({ code: 'ERR_OP_CONFIRM' });
    const approved = await campaign('approve', id, '--yes', '--json', ...as('ores/approver'));
    expect(json(approved)).toMatchObject({ state: 'running', approver: 'approver' });
    expect(approved.err).toContain('40 × port off');

    await run(id, (n) => (n === 20 || n === 30 ? 'unsupported' : undefined));
    const watched = await campaign('watch', id, '--json', ...as('ores/supervisor'));
    expect(watched.exit).toBe(EXIT.failed);
    expect(json(watched)).toMatchObject({ state: 'done', totals: { done: 38, failed: 2 } });
    const shown = await campaign('show', id, ...as('ores/supervisor'));
    expect(shown.out).toContain('wave 2 of 3, 10 commands: ');
    const results = await campaign('results', id, '--state', 'failed', ...as('ores/supervisor'));
    const rows = results.out.trimEnd().split('\n');
    expect(rows[0]).toBe('device,state,outcome,code,wave,queued,ended,late,command');
    expect(rows.slice(1).map((row) => row.split(',').slice(0, 5))).toEqual([
      [METERS[20], 'failed', 'refused', 'unsupported', '3'],
      [METERS[30], 'failed', 'refused', 'unsupported', '3'],
    ]);

    const bundle = join(work.data, 'retry.signed');
    const again = await campaign('retry', id, '--yes', '--json', '--bundle', bundle, ...as('ores/operator'));
    const retry = json<CampaignView>(again);
    expect(retry).toMatchObject({ state: 'awaiting-approval', parent: id, count: 2 });
    await campaign('approve', retry.id, '--yes', ...as('ores/approver'));
    await run(retry.id);
    const done = await campaign('watch', retry.id, '--json', ...as('ores/supervisor'));
    expect(done.exit).toBe(EXIT.ok);
    const [first] = await work.desk.campaigns.results(retry.id, { after: -1, limit: 1 });
    const { payload } = (await work.store.evidence(first!.command as CommandId))!;
    expect(decodeCommand(payload)).toMatchObject({ device: METERS[20], arguments: { on: false } });
    expect(
      await campaign('retry', retry.id, '--yes', '--bundle', bundle, ...as('ores/operator')),
    ).toMatchObject({ exit: EXIT.conflict, code: 'ERR_OP_STATE' });
  }, 30_000);

  it('stops by itself, is watched, and is let go on by an approver only; pause, resume, stop', async () => {
    const { id } = await submitted(file('halts.csv', csv(METERS.slice(100, 140))), '--waves', '4');
    await campaign('approve', id, '--yes', ...as('ores/approver'));
    await run(id, () => 'unsupported');
    expect(await campaign('watch', id, ...as('ores/supervisor'))).toMatchObject({ exit: EXIT.incomplete });
    expect(await campaign('resume', id, ...as('ores/operator'))).toMatchObject({ exit: EXIT.noRight });
    expect(await campaign('resume', id, '--reason', 'seen', ...as('ores/approver'))).toMatchObject({
      exit: 0,
    });
    while (await work.desk.campaigns.pass());
    for (const [what, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['stop', 'stopping'],
    ] as const)
      expect(json(await campaign(what, id, '--json', ...as('ores/operator')))).toMatchObject({ state });
    expect(await campaign('pause', id, ...as('ores/operator'))).toMatchObject({ exit: EXIT.conflict });
    while (await work.desk.campaigns.pass());
    expect(await campaign('watch', id, ...as('ores/supervisor'))).toMatchObject({ exit: EXIT.cancelled });
    const listed = json<readonly CampaignView[]>(await campaign('list', '--json', ...as('ores/supervisor')));
    expect(listed.find((one) => one.id === id)).toMatchObject({
      state: 'stopped',
      totals: { failed: 4, skipped: 36 },
    });
  }, 30_000);

  it('of a critical type has the approver’s signature on each command', async () => {
    const path = file('critical.csv', csv(METERS.slice(200, 230), 'reason=case 7'));
    const words = ['submit', path, '--type', 'limiter.set', '--set', 'power=2.3', '--yes', '--json'];
    const ended = await campaign(...words, '--waves', 'all', ...as('ores/operator'));
    const { id } = json<CampaignView>(ended);
    expect(await campaign('approve', id, '--yes', ...as('ores/operator'))).toMatchObject({
      exit: EXIT.noRight,
    });
    expect(await campaign('approve', id, '--yes', ...as('ores/approver'))).toMatchObject({ exit: EXIT.ok });
    await run(id);
    const { items } = await work.store.commands({ filter: { type: 'limiter.set' }, limit: 50 });
    expect(items).toHaveLength(30);
    expect(new Set(items.map(({ state, approver }) => `${state} ${approver}`))).toEqual(
      new Set(['executed approver']),
    );
  }, 30_000);
});
