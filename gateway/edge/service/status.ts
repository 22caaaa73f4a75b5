import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { CommandStatus } from '../commands.ts';
import type { OutboxStatus } from '../outbox/inspect.ts';
import type { RenewalStatus } from '../renewal/renewal.ts';
import type { SettledReading } from '../uplink/waker.ts';
import type { SourceStatus } from './edge-source.ts';
import type { CertificatesStatus } from './identity.ts';

/** What `hes edge status` shows; never a reading, a serial number or an EAN. Instants are ms since 1970 UTC. */
export interface EdgeStatus {
  readonly version: 1;
  /** False where nobody runs and the files were looked at. */
  readonly running: boolean;
  readonly pid: number | null;
  readonly startedAtMs: number | null;
  readonly nowMs: number;
  readonly development: boolean;
  readonly headEnd: { readonly host: string; readonly port: number };
  readonly devices: readonly DeviceStatus[];
}

export interface DeviceStatus {
  /** Null where nobody runs and the identity cannot be read. */
  readonly device: DeviceId | null;
  readonly home: TenantId | null;
  readonly guests: readonly TenantId[];
  /** The code of what keeps the device from running at all, or null. */
  readonly trouble: string | null;
  readonly sources: readonly SourceStatus[];
  readonly lastReceipt: ReceiptStatus | null;
  readonly lastWake: WakeStatus | null;
  readonly outbox: OutboxStatus | null;
  /** `YYYY-MM-DD` of the last day that is in the outbox or at its owner, for each owner that was ever seen. */
  readonly lastClosedDay: Readonly<Record<string, string>>;
  /** Days that ended and are not in the outbox: waiting for their time, or for room. */
  readonly openDays: number;
  readonly nextWakeMs: number | null;
  readonly certificates: CertificatesStatus | null;
  /** Null where it renews nothing, or nothing is known of it. */
  readonly renewal: RenewalStatus | null;
  /** Null where it takes none, or nothing is known of them. */
  readonly commands: CommandStatus | null;
}

export interface ReceiptStatus {
  readonly owner: TenantId;
  readonly day: string;
  readonly verdict: SettledReading['verdict'];
  readonly atMs: number;
}

export interface WakeStatus {
  readonly atMs: number;
  /** The code of the first failure, or null where all was answered. */
  readonly failure: string | null;
}
