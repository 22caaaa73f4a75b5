import type { TenantId } from '../../../protocol/identity.ts';
import { type AuditHead, type AuditRow, genesis, hashOf } from './row.ts';

/**
 * Whether a chain is whole. Rows that were edited, taken out, put in or exchanged show by themselves; that the last
 * ones are missing, or that everything was written anew, shows only against a head that was kept elsewhere: a
 * SIEM's last line, a printed number.
 */
export const AUDIT_FAULTS = {
  edited: 'its content is not what was hashed',
  link: 'it does not follow the row before it',
  removed: 'it is missing',
  order: 'it stands behind a row with the same or a higher number',
  head: 'it is another row than the one that was known',
  truncated: 'it was known, and the chain ends before it',
  tenant: 'it is of another tenant',
} as const;
export type AuditFaultKind = keyof typeof AUDIT_FAULTS;

export interface AuditFault {
  readonly n: number;
  readonly fault: AuditFaultKind;
}

/** Who was told of a hundred faults knows enough. */
const FAULTS_MAX = 100;

/** Takes the rows one after the other, as many as there are, in the order in which they lie. */
export class AuditVerifier {
  readonly #tenant: TenantId;
  readonly #known: ReadonlyMap<number, string>;
  readonly #faults: AuditFault[] = [];
  #last: AuditHead;

  /** @param options.known heads of any moment before, as they were kept elsewhere */
  constructor({ tenant, known = [] }: { readonly tenant: TenantId; readonly known?: readonly AuditHead[] }) {
    this.#tenant = tenant;
    this.#known = new Map(known.map(({ n, hash }) => [n, hash]));
    this.#last = genesis(tenant);
  }

  take(row: AuditRow): void {
    const { n } = row;
    const expected = this.#last.n + 1;
    if (row.tenant !== this.#tenant) this.#find(n, 'tenant');
    if (n < expected) this.#find(n, 'order');
    for (let missing = expected; missing < n && this.#faults.length < FAULTS_MAX; missing++)
      this.#find(missing, 'removed');
    if (n === expected && row.previous !== this.#last.hash) this.#find(n, 'link');
    if (hashOf(row) !== row.hash) this.#find(n, 'edited');
    const known = this.#known.get(n);
    if (known !== undefined && known !== row.hash) this.#find(n, 'head');
    if (n >= expected) this.#last = { n, hash: row.hash };
  }

  /** What was found, once there are no more rows; none means that the chain is whole. */
  end(): { readonly head: AuditHead; readonly faults: readonly AuditFault[] } {
    for (const n of this.#known.keys()) if (n > this.#last.n) this.#find(n, 'truncated');
    return { head: this.#last, faults: [...this.#faults] };
  }

  #find(n: number, fault: AuditFaultKind): void {
    if (this.#faults.length < FAULTS_MAX) this.#faults.push({ n, fault });
  }
}

export function verifyAudit(
  rows: Iterable<AuditRow>,
  options: { readonly tenant: TenantId; readonly known?: readonly AuditHead[] },
): { readonly head: AuditHead; readonly faults: readonly AuditFault[] } {
  const verifier = new AuditVerifier(options);
  for (const row of rows) verifier.take(row);
  return verifier.end();
}
