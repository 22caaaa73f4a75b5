import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * What a desk's work costs at least, by hand: the same signatures verified with keys that are imported already, and
 * the same rows written durably, with no index but the keys. Nothing is decoded, no rule is asked, nobody is looked up.
 */
export interface Floor {
  /** A batch: one signature each; the command, its signed bytes and a chained audit row, in one durable commit. */
  verifyAndStore(count: number): void;
  /**
   * The same batch to its end: sent (a row changed, an audit row, one commit), sealed with a key pair of its own,
   * the signature of the answer, ended (a row changed, the answer kept, an audit row, one commit).
   */
  dispatch(count: number): void;
  close(): void;
}

/** Bytes of what is signed, as the desk's own commands and outcomes have them. */
export interface FloorSizes {
  readonly signedBytes: number;
  readonly answerBytes: number;
}

const TABLES = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE commands (id INTEGER PRIMARY KEY, device TEXT NOT NULL, state TEXT NOT NULL, counter INTEGER NOT NULL,
  expiry INTEGER NOT NULL) STRICT;
CREATE TABLE evidence (id INTEGER PRIMARY KEY, signed BLOB NOT NULL, outcome BLOB) STRICT;
CREATE TABLE audit (n INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL) STRICT;`;

export function createFloor({ signedBytes, answerBytes }: FloorSizes): Floor {
  const folder = mkdtempSync(join(tmpdir(), 'hes-bench-floor-'));
  const database = new DatabaseSync(join(folder, 'floor.sqlite'));
  database.exec(TABLES);
  const insert = database.prepare('INSERT INTO commands VALUES (?, ?, ?, ?, ?)');
  const keep = database.prepare('INSERT INTO evidence VALUES (?, ?, NULL)');
  const change = database.prepare('UPDATE commands SET state = ? WHERE id = ?');
  const answered = database.prepare('UPDATE evidence SET outcome = ? WHERE id = ?');
  const append = database.prepare('INSERT INTO audit (entry, hash) VALUES (?, ?)');

  const person = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const device = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const meter = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const meterDer = meter.publicKey.export({ type: 'spki', format: 'der' });
  const signedOf = (bytes: number, privateKey: typeof person.privateKey) => {
    const text = Buffer.alloc(bytes, 7);
    return { text, signature: sign('sha256', text, { key: privateKey, dsaEncoding: 'ieee-p1363' }) };
  };
  const command = signedOf(signedBytes, person.privateKey);
  const answer = signedOf(answerBytes, device.privateKey);
  const check = ({ text, signature }: typeof command, key: typeof person.publicKey): void => {
    if (!verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, signature))
      throw new Error('the floor does not hold');
  };

  let hash = '';
  const audit = (entry: string): void => {
    hash = createHash('sha256').update(hash).update(entry).digest('hex');
    append.run(entry, hash);
  };
  const commit = (work: () => void): void => {
    database.exec('BEGIN IMMEDIATE');
    work();
    database.exec('COMMIT');
  };

  const info = Buffer.alloc(120, 1);
  const noSalt = Buffer.alloc(0);
  const iv = Buffer.alloc(12, 3);
  function seal(): void {
    const publicKey = createPublicKey({ key: meterDer, format: 'der', type: 'spki' });
    const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey });
    const key = Buffer.from(hkdfSync('sha256', secret, noSalt, info, 16));
    const cipher = createCipheriv('aes-128-gcm', key, iv);
    Buffer.concat([cipher.update(command.text), cipher.final(), cipher.getAuthTag()]);
  }

  const entry = (state: string, id: number): string =>
    `["ores",${id},"${state}","0123456789abcdef",1796112000000]`;
  let stored = 0;
  let sent = 0;
  const batch = (count: number, work: (id: number) => void, from: number): void => {
    for (let id = from + 1; id <= from + count; id++) work(id);
  };
  return {
    verifyAndStore(count) {
      batch(count, () => check(command, person.publicKey), stored);
      const store = (id: number): void => {
        insert.run(id, '0123456789abcdef', 'queued', id, id);
        keep.run(id, command.text);
        audit(entry('queued', id));
      };
      commit(() => batch(count, store, stored));
      stored += count;
    },
    dispatch(count) {
      const move = (state: string) => (id: number) => {
        change.run(state, id);
        audit(entry(state, id));
      };
      commit(() => batch(count, move('sent'), sent));
      batch(count, seal, sent);
      batch(count, () => check(answer, device.publicKey), sent);
      const end = (id: number): void => {
        move('executed')(id);
        answered.run(answer.text, id);
      };
      commit(() => batch(count, end, sent));
      sent += count;
    },
    close() {
      database.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
