import type { TlsTrust } from '../../pki/trust.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Presence } from './presence.ts';
import type { Tally } from './tally.ts';
import type { TrustFiles } from './trust-files.ts';

export interface WardenOptions {
  readonly trust: TlsTrust;
  readonly files: TrustFiles;
  /** Puts other issuing CAs in force in TLS. */
  readonly authorities: (pems: readonly string[]) => void;
  readonly presence: Presence;
  readonly tally: Tally;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Holds live sessions to what let them in: TLS asks about a certificate once, at the handshake, but a session may
 * outlive its certificate and the trust in it.
 */
export class Warden {
  readonly #options: WardenOptions;
  #reading: Promise<void> = Promise.resolve();

  constructor(options: WardenOptions) {
    this.#options = options;
  }

  /** Read issuing CAs and revocation lists again where they changed (or always), and close the sessions that they name. */
  reload(force = false): Promise<void> {
    // One after the other: an older list must not overtake a newer one.
    this.#reading = this.#reading.then(() => this.#reloadNow(force));
    return this.#reading;
  }

  async #reloadNow(force: boolean): Promise<void> {
    const { trust, files, tally, log, authorities } = this.#options;
    try {
      const changed = await files.readChanged(force);
      if (changed === undefined) return;
      const { crls, anchors } = changed;
      if (anchors === undefined) trust.replaceCrls(crls);
      else {
        trust.replace({ issuers: anchors.issuers, crls });
        authorities(anchors.authorities);
        files.inForce(anchors);
        log.info({}, 'other issuing CAs are in force');
      }
    } catch (error) {
      // The lists in force stay in force; when they run out of date, handshakes are refused as crl-stale.
      tally.count('crl.failures');
      log.error({ err: error }, 'issuing CAs and revocation lists could not be renewed');
      return;
    }
    tally.count('crl.reloads');
    this.closeRevoked();
  }

  closeRevoked(): void {
    const { trust, presence } = this.#options;
    for (const session of presence.sessions())
      if (trust.isRevoked(session.identity)) session.close('revoked');
  }

  closeExpired(): void {
    const { clock, presence } = this.#options;
    const nowMs = clock.nowMs();
    for (const session of presence.sessions())
      if (nowMs > session.identity.notAfterMs) session.close('expired');
  }
}
