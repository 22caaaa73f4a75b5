import {
  isKeyReport,
  type KeyReport,
  type StateReport,
  verifyReport,
} from '../../protocol/command/report.ts';
import { readSigner } from '../../protocol/envelope.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { DEVICE, type DeskContext, registered, sha256, silence, transact, type Work } from './context.ts';
import { isSuperseding } from './registry/key.ts';
import type { Followed, Meter } from './registry/meter.ts';
import { afterReport } from './registry/report.ts';

/**
 * What a meter says of itself: somebody pressed its button, or ended airplane mode there; or it has another key that
 * commands are to be sealed to.
 */

/** What is written of a change, as the code of its row. */
const SAYS: Readonly<Record<Followed, (report: StateReport) => string>> = {
  tariff: ({ tariffPlan }) => `tariff ${tariffPlan}`,
  credit: ({ creditMode }) => creditMode,
  airplane: ({ airplaneSince }) => (airplaneSince === null ? 'airplane off' : 'airplane on'),
  breaker: ({ breaker }) => `breaker ${breaker}`,
};

async function auditChange(
  { transaction, nowMs }: Work,
  { device, code, digest, event }: AuditedChange,
): Promise<void> {
  const nothing = { command: null, type: null, from: null, to: null, reason: null } as const;
  await transaction.audit({ ...nothing, atMs: nowMs, event, actor: DEVICE, device, code, digest });
}

interface AuditedChange {
  readonly device: DeviceId;
  readonly code: string | null;
  readonly digest: string;
  readonly event: 'airplane-ended' | 'meter-changed' | 'meter-key';
}

/**
 * What a device says of its state, as the router passed it on. It is believed by its signature alone, and where it
 * is not older than what the registry follows already. Said again it changes nothing.
 *
 * @throws what `verifyReport` and the trust in devices throw; ERR_DESK_METER
 */
export async function report(
  context: DeskContext,
  { device, signed }: { readonly device: DeviceId; readonly signed: Uint8Array },
): Promise<Meter> {
  const { tenant } = context;
  const publicKey = context.deviceKeys(readSigner(signed), device);
  const said = verifyReport({ signed, about: { tenant, device }, publicKey });
  return isKeyReport(said) ? takeKey(context, said, signed) : takeState(context, said, signed);
}

function takeState(context: DeskContext, said: StateReport, signed: Uint8Array): Promise<Meter> {
  const { device } = said;
  return transact(context, async (work) => {
    const before = registered(await work.transaction.meter(device));
    // A device's clock that is ahead would hide what comes after it.
    const time = Math.min(said.time, Math.floor(work.nowMs / 1_000));
    const { meter, changed } = afterReport(before, said, time);
    if (changed.length === 0) return before;
    await work.transaction.putMeter(meter);
    const digest = sha256(signed);
    for (const thing of changed) {
      const ended = thing === 'airplane' && meter.airplaneSince === null;
      const event = ended ? 'airplane-ended' : 'meter-changed';
      await auditChange(work, { device, event, code: ended ? null : SAYS[thing](said), digest });
    }
    if (before.airplaneSince === null && meter.airplaneSince !== null) await silence(work, device);
    return meter;
  });
}

/**
 * The device's own word is not enough for a key: its certificate has to be one of the field's, for agreeing on keys, of
 * this device, in force, and not older than the one that is known. An older one is a repetition of what was true once,
 * and changes nothing.
 */
function takeKey(
  context: DeskContext,
  { device, certificate }: KeyReport,
  signed: Uint8Array,
): Promise<Meter> {
  const { notBeforeMs } = context.deviceAgreement(certificate, device);
  return transact(context, async (work) => {
    const before = registered(await work.transaction.meter(device));
    if (before.certificate !== null && Buffer.compare(before.certificate, certificate) === 0) return before;
    if (isSuperseding(before, notBeforeMs, context.deviceAgreement)) return before;
    const meter: Meter = { ...before, certificate: Uint8Array.from(certificate) };
    await work.transaction.putMeter(meter);
    await auditChange(work, { device, event: 'meter-key', code: null, digest: sha256(signed) });
    return meter;
  });
}
