import {
  AGREE_BEFORE_MAX,
  certificatePeriod,
  checkRenewed,
  type DeviceKeyName,
  knownAuthorities,
  newDeviceKey,
  renewalRequest,
} from '../../../pki/device.ts';
import type { DeviceIdentity, KeyAndCertificate } from '../../../pki/identity.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { IdentityPort } from '../device-options.ts';
import type { EdgeErrorCode } from '../errors.ts';
import { nodeFiles, type OutboxFiles } from '../outbox/files.ts';
import { isDone, type Plan, Plans } from './plan.ts';
import type { RenewalServer } from './server.ts';

export interface RenewOptions {
  /** The file of the identity: plans lie beside it. */
  readonly file: string;
  readonly identity: IdentityPort;
  readonly server: RenewalServer;
  readonly development: boolean;
  readonly nowMs: number;
  readonly files?: OutboxFiles | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * It is time alone that asks, so the clock has to be one to believe: the server's has to show about the same. Without
   * that, a clock that is years ahead would have every new certificate renewed at once.
   */
  readonly byTime?: boolean;
}

/** Server and device may differ by so much; a twelfth of what a certificate's life leaves after it is due. */
const CLOCKS_APART_MS_MAX = 2 * 86_400_000;

/**
 * Renew one key, or go on with what was begun: key on the disk → asked → certificate on the disk → identity replaced.
 * The power may be cut between any two of them: the same key asked for again is answered with the same certificate
 * (docs/adr/0175), so there is never a second one whose key is lost. The plan stays and says that it was carried out,
 * until `Plans.remove`.
 *
 * @throws ERR_EST_*, ERR_TRUST_*, ERR_ENROL_ANSWER, ERR_RENEWAL_*, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export async function renewKey(options: RenewOptions, name: DeviceKeyName): Promise<void> {
  const { file, identity, nowMs, files = nodeFiles, signal } = options;
  if (identity.save === undefined)
    throw renewalError('ERR_RENEWAL_IDENTITY', 'this identity cannot be replaced');
  const plans = new Plans(file, identity.device, files);
  const begun = plans.read(name);
  let plan =
    begun === undefined || isDone(begun, identity.load(), name) || isOver(begun, identity.load()[name], nowMs)
      ? null
      : begun;
  if (plan?.certificate == null) {
    const session = options.server.connect(identity.load(), signal);
    try {
      const { certificates, serverMs } = await session.authorities();
      if (options.byTime === true && plan === null) checkClock(serverMs, nowMs);
      if (plan === null) {
        plan = { key: newDeviceKey(), certificate: null };
        await plans.write(name, plan);
      }
      const now = identity.load();
      const certificate = await session.reenroll(name, await renewalRequest(now, name, plan.key));
      const authorities = [...knownAuthorities(now), ...certificates];
      const { device, home, guests, root } = now;
      const known = { device, home, guests, root, atMs: nowMs, development: options.development };
      plan = checkRenewed({ name, key: plan.key, certificate, authorities }, known);
    } catch (error) {
      // A key that is taken for another name, or was certified by a CA that is gone, will never be certified.
      if (isHesError(error, 'ERR_EST_REFUSED') && isKeyRefused(error.context['refusal'])) plans.remove(name);
      throw error;
    } finally {
      session.close();
    }
    await plans.write(name, plan);
  }
  identity.save(withKey(identity.load(), name, plan as KeyAndCertificate, nowMs));
}

/** The identity with another key; the key-agreement key before it is kept while anything may be sealed to it. */
function withKey(
  identity: DeviceIdentity,
  name: DeviceKeyName,
  pair: KeyAndCertificate,
  nowMs: number,
): DeviceIdentity {
  const { key, certificate } = pair;
  if (name !== 'agree') return { ...identity, [name]: { key, certificate } };
  const before = [identity.agree, ...(identity.agreeBefore ?? [])];
  const agreeBefore = before
    .filter((one) => certificatePeriod(one.certificate).notAfterMs >= nowMs)
    .slice(0, AGREE_BEFORE_MAX);
  const untold = [identity.home, ...identity.guests];
  return { ...identity, agree: { key, certificate }, agreeBefore, untold };
}

/** Its certificate has ended, or the device was enrolled anew since: what was begun before that is not to come back. */
function isOver({ certificate }: Plan, inUse: KeyAndCertificate, nowMs: number): boolean {
  if (certificate === null) return false;
  const { notBeforeMs, notAfterMs } = certificatePeriod(certificate);
  return notAfterMs < nowMs || notBeforeMs < certificatePeriod(inUse.certificate).notBeforeMs;
}

/** In the server's own words (pki/est/status.ts). */
const KEY_REFUSALS: ReadonlySet<unknown> = new Set(['ERR_CA_KEY', 'ERR_ENROL_KEY']);
const isKeyRefused = (refusal: unknown): boolean => KEY_REFUSALS.has(refusal);

function checkClock(serverMs: number | null, nowMs: number): void {
  if (serverMs === null || Math.abs(serverMs - nowMs) <= CLOCKS_APART_MS_MAX) return;
  throw renewalError(
    'ERR_RENEWAL_CLOCK',
    'the clock of this device and that of its CA are days apart: nothing is renewed by it',
  );
}

const renewalError = (code: EdgeErrorCode, message: string): HesError => new HesError(code, message);
