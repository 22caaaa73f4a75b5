import { isDeepStrictEqual } from 'node:util';
import type { Signer } from '../../protocol/command/signers.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { actorOf, DESK, DEVICE, type DeskContext, registered, transact, type Work } from './context.ts';
import { afterAirplane } from './registry/effects.ts';
import { isSuperseding } from './registry/key.ts';
import { type Meter, type MeterState, newMeter } from './registry/meter.ts';
import { beginOf } from './registry/recipient.ts';
import type { Eans } from './store/port.ts';

/** The registry of meters: who enters them, and what becomes known of them beside their commands. */

export interface Registration extends Pick<Meter, 'device' | 'home' | 'medium' | 'channels' | 'certificate'> {
  /** The state that a meter has when it is entered; commands change it from then on. */
  readonly state?: Partial<MeterState>;
  /** By channel; what is entered already stays where none are given. */
  readonly eans?: Eans;
}

async function auditMeter(
  { transaction, nowMs }: Work,
  event: 'meter-registered' | 'meter-withdrawn' | 'airplane-ended',
  device: DeviceId,
  by: Signer | 'device' | 'desk',
): Promise<void> {
  await transaction.audit({
    atMs: nowMs,
    event,
    actor: by === 'desk' ? DESK : by === 'device' ? DEVICE : actorOf(by),
    device,
    command: null,
    type: null,
    from: null,
    to: null,
    code: null,
    reason: null,
    digest: null,
  });
}

/**
 * Enter a meter, or what has changed of whose it is and whom commands are sealed to. Its state stays. What was
 * entered before just so is left alone, without a row.
 */
export function register(
  context: DeskContext,
  { state = {}, eans, ...given }: Registration,
  by: Signer | 'desk',
): Promise<Meter> {
  return transact(context, async (work) => {
    const { transaction } = work;
    const present = await transaction.meter(given.device);
    // One that was withdrawn comes back as it was: what commands did to it, it has not forgotten.
    const before = present ?? (await transaction.withdrawn(given.device));
    const meter: Meter = {
      ...(before ?? { ...newMeter(given), ...state }),
      ...given,
      certificate: certificateOf(context, before, given.certificate),
    };
    const isSame = present !== undefined && isDeepStrictEqual(plain(meter), plain(present));
    const eansChanged = eans !== undefined && (await transaction.putEans(meter.device, eans));
    if (isSame && !eansChanged) return meter;
    await transaction.putMeter(meter);
    await auditMeter(work, 'meter-registered', meter.device, by);
    return meter;
  });
}

/**
 * The operator's systems may still know a key that the device itself has replaced since: then its own stands. Where
 * it does not know better, or is told that there is none, it is what was given.
 */
function certificateOf(
  { deviceAgreement }: DeskContext,
  before: Meter | undefined,
  given: Uint8Array | null,
): Uint8Array | null {
  if (before?.certificate == null || given === null) return given;
  const notBeforeMs = beginOf(given);
  if (notBeforeMs === undefined || !isSuperseding(before, notBeforeMs, deviceAgreement)) return given;
  return before.certificate;
}

/** A certificate is bytes, whichever kind of array holds them. */
const plain = ({ certificate, ...meter }: Meter): object => ({
  ...meter,
  certificate: certificate === null ? null : Buffer.from(certificate).toString('base64'),
});

/**
 * Take a meter out of the registry: nothing can be proposed for it, and what waits for it is not sent. Its state is
 * kept for when it is entered again. Whoever is not registered is left alone.
 */
export async function withdraw(context: DeskContext, device: DeviceId): Promise<void> {
  await transact(context, async (work) => {
    if (await work.transaction.withdrawMeter(device))
      await auditMeter(work, 'meter-withdrawn', device, 'desk');
  });
}

/**
 * Whether an EAN is that of a meter of the tenant behind the device: who reads it off a screen or a letter is told
 * yes or no, and never another.
 * @throws ERR_DESK_METER
 */
export async function identify(
  { store, tenant }: DeskContext,
  device: DeviceId,
  ean: string,
): Promise<boolean> {
  const { channels } = registered(await store.meter(device));
  const found = new Set(await store.channelsWithEan(device, ean));
  return channels.some(({ channel, owner }) => owner === tenant && found.has(channel));
}

/** Of a meter that sends often, only so often: a minute is as near as anybody asks. */
const SEEN_EVERY_MS = 60_000;

/** A meter was heard of. Whoever is not registered is left alone. */
export async function seen(context: DeskContext, device: DeviceId, atMs: number): Promise<void> {
  const known = await context.store.meter(device);
  if (known === undefined || atMs - (known.lastSeenMs ?? 0) < SEEN_EVERY_MS) return;
  await transact(context, async ({ transaction }) => {
    const meter = registered(await transaction.meter(device));
    await transaction.putMeter({ ...meter, lastSeenMs: Math.max(atMs, meter.lastSeenMs ?? 0) });
  });
}

/**
 * Somebody ended airplane mode at the meter, which says so itself.
 * @param epochSeconds by the meter's clock
 * @throws ERR_DESK_METER
 */
export function airplaneEnded(context: DeskContext, device: DeviceId, epochSeconds: number): Promise<Meter> {
  return transact(context, async (work) => {
    const meter = registered(await work.transaction.meter(device));
    const after = afterAirplane(meter, Math.min(epochSeconds, Math.floor(work.nowMs / 1_000)));
    if (after === meter) return meter;
    await work.transaction.putMeter(after);
    await auditMeter(work, 'airplane-ended', device, 'device');
    return after;
  });
}
