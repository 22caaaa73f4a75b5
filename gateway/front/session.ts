import { hash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { TlsIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Ending, Refusal, Unanswered } from './reasons.ts';
import type { Tally } from './tally.ts';

/** MQTT 3.1.1 §3.2.2.3, table 3.1. */
export type ConnackCode = 1 | 2 | 3 | 4 | 5;

/**
 * One connection of one device, from the end of its handshake to the close of its socket. It ends once, for one
 * reason, and that reason is counted once.
 */
export class Session {
  readonly identity: TlsIdentity;
  readonly socket: TLSSocket;
  /** Messages whose answer is still awaited. */
  held = 0;
  /** Subscriptions whose SUBACK is still awaited. */
  subscribing = 0;
  readonly #listensTo = new Set<TenantId>();
  /** The digest of the last notice of each tenant. */
  readonly #noticed = new Map<TenantId, string>();
  readonly #tally: Tally;
  #ending = false;
  #ended = false;

  constructor(identity: TlsIdentity, socket: TLSSocket, tally: Tally) {
    this.identity = identity;
    this.socket = socket;
    this.#tally = tally;
  }

  /** The tenant whose issuing CA made the device's certificate, and whose broker instance serves it. */
  get home(): TenantId {
    return this.identity.tenant;
  }

  /** Whether it takes no more messages: it has ended, or waits for the answers that are under way to end. */
  get ending(): boolean {
    return this.#ending;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Whether the certificate names this tenant, as home or guest. */
  speaksFor(tenant: TenantId): boolean {
    return this.identity.tenant === tenant || this.identity.guests.includes(tenant);
  }

  /** Whether it has subscribed to commands of this tenant. */
  listensTo(tenant: TenantId): boolean {
    return this.#listensTo.has(tenant);
  }

  /** From here on, also while the SUBACK is still awaited (MQTT 3.1.1 §3.8.4 allows it). */
  listen(tenant: TenantId): void {
    this.#listensTo.add(tenant);
  }

  listenNoMore(tenant: TenantId): void {
    this.#listensTo.delete(tenant);
  }

  /**
   * Whether this notice of a tenant is another than the one that was written to it last. Every message that is sealed to
   * an older key brings one, and a device that comes with two months of readings needs it once.
   */
  isNews(tenant: TenantId, notice: Uint8Array): boolean {
    const digest = hash('sha256', notice, 'base64');
    if (this.#noticed.get(tenant) === digest) return false;
    this.#noticed.set(tenant, digest);
    return true;
  }

  /** Turn it away now. */
  refuse(reason: Refusal): void {
    if (!this.#end()) return;
    this.#tally.refused(reason, this.home);
    this.socket.destroy();
  }

  /** Turn it away at CONNECT, with the return code that MQTT has for it. */
  refuseConnect(reason: Refusal, code: ConnackCode): void {
    if (!this.#end()) return;
    this.#tally.refused(reason, this.home);
    this.socket.write(Uint8Array.of(0x20, 2, 0, code));
    this.socket.destroySoon();
  }

  /** End a session that was let in. */
  close(reason: Ending): void {
    if (!this.#end()) return;
    this.#tally.closed(reason, this.home);
    this.socket.destroy();
  }

  /**
   * No PUBACK for one message: end the session, but only when the other messages that it has under way have their
   * answers. A guest's owner that is down must not cost the home tenant's readings their receipts.
   */
  withhold(reason: Unanswered, tenant: TenantId): void {
    this.#tally.unanswered(reason, tenant);
    this.endWhenAnswered();
  }

  /** Take nothing new; close as soon as nothing is awaited. */
  endWhenAnswered(reason: Ending = 'unanswered'): void {
    this.#ending = true;
    if (this.held > 0 || !this.#end()) return;
    this.#tally.closed(reason, this.home);
    this.socket.destroySoon();
  }

  /** A message was answered or given up. */
  release(): void {
    this.held -= 1;
    if (this.#ending && !this.#ended) this.endWhenAnswered();
  }

  /** Its socket closed, on whoever's wish. */
  gone(): void {
    this.#end();
  }

  #end(): boolean {
    if (this.#ended) return false;
    this.#ended = true;
    this.#ending = true;
    return true;
  }
}
