import { chmodSync, copyFileSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { officeLayout } from '../../../pki/files/layout.ts';
import { EXIT } from '../exit.ts';
import { deskUrl } from './open.ts';
import { personOf } from './person.ts';
import type { Terminal } from './terminal.ts';
import { type Ended, hes } from './testing/cli.ts';
import { type DeskAtWork, ORES, startDeskAtWork } from './testing/desk.ts';

let work: DeskAtWork;
/** As somebody keeps it who was given it: away from the data folder. */
let identity: string;
let passphrase: string;

beforeAll(async () => {
  work = await startDeskAtWork();
  const files = officeLayout(join(work.data, 'pki', 'office')).person(ORES, 'operator');
  identity = join(work.data, 'ann.json');
  passphrase = join(work.data, 'ann.secret');
  for (const [from, to] of [
    [files.identity, identity],
    [files.passphrase, passphrase],
  ] as const) {
    copyFileSync(from, to);
    chmodSync(to, 0o600);
  }
});
afterAll(() => work.close());

const list = (...flags: readonly string[]): Promise<Ended> => hes('op', 'list', '--json', ...flags);
const nobody: Terminal = {
  present: false,
  ask: () => Promise.reject(new Error('nobody is there')),
  askSecret: () => Promise.reject(new Error('nobody is there')),
  tell: () => undefined,
};

describe('who asks', () => {
  it('is whose identity file it is, with its passphrase from a file', async () => {
    const flags = ['--identity', identity, '--passphrase-file', passphrase, '--desk', work.url];
    expect(await list(...flags)).toMatchObject({ exit: EXIT.ok, err: '' });
    const before = await hes(...flags, 'op', 'list', '--json');
    expect(before).toMatchObject({ exit: EXIT.ok, err: '' });
  });

  it('may give the passphrase through a descriptor', async () => {
    const fd = openSync(passphrase, 'r');
    const flags = ['--identity', identity, '--passphrase-fd', String(fd), '--desk', work.url];
    expect(await list(...flags)).toMatchObject({ exit: EXIT.ok });
  });

  it('may be asked for the passphrase at a terminal', async () => {
    const asked: string[] = [];
    const terminal: Terminal = {
      ...nobody,
      present: true,
      async askSecret(question) {
        asked.push(question);
        return readFileSync(passphrase, 'utf8').trim();
      },
    };
    const person = personOf({ identity }, terminal);
    await person.open();
    await person.open();
    expect(asked).toEqual([`Passphrase of ${identity}: `]);
  });

  it('is refused with the wrong passphrase, or with none and no terminal', async () => {
    const wrong = join(work.data, 'wrong.secret');
    writeFileSync(wrong, 'not it\n', { mode: 0o600 });
    expect(await list('--identity', identity, '--passphrase-file', wrong, '--desk', work.url)).toMatchObject({
      exit: EXIT.noRight,
      code: 'ERR_PKI_PASSPHRASE',
    });
    expect(await list('--identity', identity, '--desk', work.url)).toMatchObject({
      exit: EXIT.noRight,
      code: 'ERR_OP_PASSPHRASE',
    });
  });

  it('is one person', async () => {
    expect(await list('--identity', identity, '--as', 'ores/operator')).toMatchObject({ exit: EXIT.usage });
    expect(await list('--as', 'operator')).toMatchObject({ exit: EXIT.usage });
    expect(await list('--as', '../ores/operator')).toMatchObject({ exit: EXIT.usage });
  });

  it('is nobody whose identity others may read', async () => {
    chmodSync(identity, 0o644);
    expect(await list('--identity', identity, '--passphrase-file', passphrase)).toMatchObject({
      code: 'ERR_PKI_RIGHTS',
    });
    chmodSync(identity, 0o600);
  });

  it('is told which words before a command are not for it', async () => {
    expect(await hes('--as', 'ores/operator', 'p1', 'decode', 'x')).toMatchObject({ exit: EXIT.usage });
    const { exit } = await hes('--as', 'ores/operator', '--data', work.data, 'op', 'list');
    expect(exit).toBe(EXIT.ok);
  });

  it('wins with what is said behind the command', async () => {
    const { code } = await hes(
      '--as',
      'ores/operator',
      'op',
      'list',
      '--as',
      'ores/nobody',
      '--data',
      work.data,
    );
    expect(code).toBe('ERR_OP_IDENTITY');
  });
});

describe('the desk', () => {
  it.each(['http://127.0.0.1:1', 'desk', 'https://desk/v1', 'https://user@desk'])(
    'is none at the address %s',
    async (desk) => {
      expect(await list('--as', 'ores/operator', '--data', work.data, '--desk', desk)).toMatchObject({
        exit: EXIT.usage,
      });
    },
  );

  it('is the one that was said, that the identity names, or that runs here', () => {
    const person = personOf({ as: 'ores/operator', data: work.data }, nobody);
    const named = { identity: { ...person.identity, desk: 'https://desk.ores.example' } };
    expect(deskUrl({ desk: 'https://other.example:8443' }, named).origin).toBe('https://other.example:8443');
    expect(deskUrl({}, named).origin).toBe('https://desk.ores.example');
    expect(deskUrl({ data: work.data }, person).origin).toBe(work.url);
  });
});
