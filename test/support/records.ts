import { existsSync, readFileSync } from 'node:fs';
import type { TenantId } from '../../protocol/identity.ts';

/** A record that an MDM accepted, as its file of records has it. */
export interface AcceptedRecord {
  readonly tenant: TenantId;
  /** `device/owner/sequence`. */
  readonly key: string;
  /** What the record itself says. */
  readonly header: {
    readonly MessageID: string;
    readonly Tenant: string;
    readonly Device: string;
    readonly Sequence: number;
  };
  readonly text: string;
}

/**
 * Read a file of accepted records; one that is not there has none. What stands behind the last line end is being
 * written, or was when its MDM was killed: it was not acknowledged, and is no record.
 */
export function readRecords(file: string): AcceptedRecord[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((text) => {
      const { tenant, record } = JSON.parse(text) as {
        tenant: TenantId;
        record: { Header: AcceptedRecord['header'] };
      };
      return { tenant, key: record.Header.MessageID, header: record.Header, text };
    });
}
