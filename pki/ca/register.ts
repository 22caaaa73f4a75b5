import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { isHesError } from '../../protocol/errors.ts';
import { type CaAudit, caAudit } from './audit.ts';
import {
  type CertificateReads,
  type CertificateWrites,
  certificateReads,
  certificateWrites,
} from './certificates.ts';
import { type ExpectedDevices, expectedDevices } from './expected.ts';
import { openDatabase, type RegisterOwner, registerError } from './schema.ts';

/** When a CA promised its next list by, and the number of the last. */
export interface CrlState {
  readonly number: number;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
}

/** Everything that the CAs of one owner know, in one file. Synchronous: each answer is a few indexed reads. */
export interface Register {
  readonly owner: RegisterOwner;
  readonly path: string;
  readonly certificates: CertificateReads;
  /** For authorities only: what they write goes with a row of the audit, in one transaction. */
  readonly writes: CertificateWrites;
  readonly devices: ExpectedDevices;
  readonly audit: CaAudit;
  crl(issuer: string): CrlState | undefined;
  setCrl(issuer: string, state: CrlState): void;
  /** All or nothing, and on the disk when this returns. May be nested: the outermost commits. */
  transaction<Result>(work: () => Result): Result;
  close(): void;
}

const PEPPER_BYTES = 32;

/**
 * Open a register, or make it. Several processes may have it open: a command line beside a service.
 * @throws ERR_CA_REGISTER where it is damaged, of another owner or of a newer version
 */
export function openRegister(options: {
  readonly path: string;
  readonly owner: RegisterOwner;
  readonly clock?: { nowMs(): number };
  readonly random?: typeof randomBytes;
}): Register {
  const { path, owner, clock = { nowMs: Date.now }, random = randomBytes } = options;
  const database = openDatabase(path, owner, () => random(PEPPER_BYTES));
  const transaction = transactions(database, path);
  const audit = caAudit(database, owner);
  const crl = database.prepare('SELECT number, thisUpdateMs, nextUpdateMs FROM crls WHERE issuer = ?');
  const setCrl = database.prepare(`
    INSERT INTO crls (issuer, number, thisUpdateMs, nextUpdateMs) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET number = excluded.number, thisUpdateMs = excluded.thisUpdateMs,
      nextUpdateMs = excluded.nextUpdateMs`);
  return {
    owner,
    path,
    certificates: certificateReads(database),
    writes: certificateWrites(database),
    devices: expectedDevices(database, {
      nowMs: () => clock.nowMs(),
      random,
      transaction,
      audit: (entry) => audit.append(entry),
    }),
    audit,
    crl: (issuer) => crl.get(issuer) as CrlState | undefined,
    setCrl: (issuer, { number, thisUpdateMs, nextUpdateMs }) =>
      void setCrl.run(issuer, number, thisUpdateMs, nextUpdateMs),
    transaction,
    close() {
      if (database.isOpen) database.close();
    },
  };
}

/** IMMEDIATE: whoever reads to decide holds the right to write from the first read on. */
function transactions(database: DatabaseSync, path: string): Register['transaction'] {
  return (work) => {
    if (database.isTransaction) return work();
    try {
      database.exec('BEGIN IMMEDIATE');
      const result = work();
      database.exec('COMMIT');
      return result;
    } catch (error) {
      if (database.isOpen && database.isTransaction) database.exec('ROLLBACK');
      throw isHesError(error) ? error : registerError(path, error);
    }
  };
}
