import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isHesError } from '../../../../protocol/errors.ts';
import { GroupCommit } from './group-commit.ts';

interface Notes {
  add(text: string): Promise<void>;
}

let database: DatabaseSync;
let group: GroupCommit<Notes>;
beforeEach(() => {
  database = new DatabaseSync(':memory:');
  database.exec('CREATE TABLE notes (text TEXT UNIQUE)');
  const add = database.prepare('INSERT INTO notes (text) VALUES (?)');
  group = new GroupCommit<Notes>(database, {
    async add(text) {
      add.run(text);
    },
  });
});
afterEach(() => database.close());

const write = (text: string) => group.run((notes) => notes.add(text));
const kept = () =>
  database
    .prepare('SELECT text FROM notes ORDER BY rowid')
    .all()
    .map(({ text }) => String(text).slice(0, 9));
const outcomes = async (...promises: readonly Promise<unknown>[]) =>
  (await Promise.allSettled(promises)).map((result) => {
    if (result.status === 'fulfilled') return 'done';
    return isHesError(result.reason) ? result.reason.code : String(result.reason);
  });

describe('transactions of one turn', () => {
  it('fail alone, by themselves or by the database', async () => {
    const first = write('one');
    const failing = group.run(async (notes) => {
      await notes.add('half');
      throw new Error('in the middle');
    });
    const twice = group.run(async (notes) => {
      await notes.add('once');
      await notes.add('one');
    });
    expect(await outcomes(first, failing, twice, write('two'))).toEqual([
      'done',
      'Error: in the middle',
      'ERR_DESK_STORE',
      'done',
    ]);
    expect(kept()).toEqual(['one', 'two']);
  });

  it('are each answered for what became of it where the disk is full, and later ones go on', async () => {
    expect(await outcomes(write('one'))).toEqual(['done']);
    const pages = Number(database.prepare('PRAGMA page_count').get()!['page_count']);
    database.exec(`PRAGMA max_page_count = ${pages + 4}`);
    const large = 'too large'.padEnd(100_000, '.');
    const answers = await outcomes(write('two'), write(large), write('three'));
    expect(answers[1]).toBe('ERR_DESK_STORE');
    // Whatever was answered is what is there: the others with it, or the whole group not.
    const texts = ['two', 'too large', 'three'].filter((_, index) => answers[index] === 'done');
    expect(kept()).toEqual(['one', ...texts]);
    expect(await outcomes(write('four'))).toEqual(['done']);
    expect(kept().at(-1)).toBe('four');
  });

  it('are all refused where their commit fails', async () => {
    database.exec('PRAGMA foreign_keys = ON');
    database.exec('CREATE TABLE parents (id INTEGER PRIMARY KEY)');
    database.exec(
      'CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)',
    );
    const first = write('one');
    const orphan = group.run(async () => database.exec('INSERT INTO children VALUES (1)'));
    expect(await outcomes(first, orphan, write('two'))).toEqual([
      'ERR_DESK_STORE',
      'ERR_DESK_STORE',
      'ERR_DESK_STORE',
    ]);
    expect(kept()).toEqual([]);
    expect(await outcomes(write('three'))).toEqual(['done']);
  });

  it('that run are ended before it closes, and none begins after', async () => {
    const running = write('one');
    const closed = group.close();
    expect(await outcomes(write('two'), running, closed)).toEqual(['ERR_DESK_STORE', 'done', 'done']);
    expect(kept()).toEqual(['one']);
  });
});
