import type { DatabaseSync } from 'node:sqlite';
import { isHesError } from '../../../../protocol/errors.ts';
import { deskError } from '../../errors.ts';

/** A transaction waits for those before it in its group; a park's commands should not all wait for one disk write. */
const GROUP_MAX = 256;

interface Job<Transaction> {
  work(transaction: Transaction): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Transactions one after the other, those that came in one turn of the event loop with one commit. A durable commit
 * waits for the disk (synchronous FULL: one fsync), so what came together shares it. Each is a savepoint of its own:
 * one that fails is undone alone, and nobody is answered before the commit.
 */
export class GroupCommit<Transaction> {
  readonly #database: DatabaseSync;
  readonly #transaction: Transaction;
  readonly #waiting: Job<Transaction>[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(database: DatabaseSync, transaction: Transaction) {
    this.#database = database;
    this.#transaction = transaction;
  }

  /** @throws what `work` throws; ERR_DESK_STORE where the database could not do it, or is closed */
  run<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(deskError('ERR_DESK_STORE', 'the store is closed'));
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
      this.#draining ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
  }

  async #drain(): Promise<void> {
    // What else comes in this turn belongs to the first group too.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) await this.#commit(this.#waiting.splice(0, GROUP_MAX));
    this.#draining = undefined;
  }

  async #commit(group: readonly Job<Transaction>[]): Promise<void> {
    const answers: (() => void)[] = [];
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      for (const job of group) answers.push(await this.#savepoint(job));
      this.#database.exec('COMMIT');
    } catch (cause) {
      const error = storeError(cause);
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      for (const { reject } of group) reject(error);
      return;
    }
    for (const answer of answers) answer();
  }

  async #savepoint(job: Job<Transaction>): Promise<() => void> {
    this.#database.exec('SAVEPOINT job');
    try {
      const value = await job.work(this.#transaction);
      this.#database.exec('RELEASE job');
      return () => job.resolve(value);
    } catch (error) {
      // A disk that is full, and some other faults, undo the whole transaction by themselves.
      if (!this.#database.isTransaction) throw error;
      this.#database.exec('ROLLBACK TO job; RELEASE job');
      return () => job.reject(isSqliteError(error) ? storeError(error) : error);
    }
  }
}

const isSqliteError = (error: unknown): boolean =>
  error instanceof Error && (error as NodeJS.ErrnoException).code === 'ERR_SQLITE_ERROR';

export function storeError(cause: unknown): Error {
  if (isHesError(cause)) return cause;
  return deskError('ERR_DESK_STORE', 'the database of the desk did not do it', { cause });
}
