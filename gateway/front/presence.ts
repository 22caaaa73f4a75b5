import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { Session } from './session.ts';

/**
 * Who is connected: every session since its handshake, and by device since its CONNECT. In memory only. Commands
 * find their device here (`find`), by its home tenant, since two tenants' CAs may draw the same pseudonym.
 */
export class Presence {
  readonly #sessions = new Set<Session>();
  readonly #byHome = new Map<TenantId, { count: number; readonly devices: Map<DeviceId, Session> }>();

  constructor(tenants: Iterable<TenantId>) {
    for (const tenant of tenants) this.#byHome.set(tenant, { count: 0, devices: new Map() });
  }

  /** Sessions of a home tenant, from the end of their handshakes on. */
  count(home: TenantId): number {
    return this.#byHome.get(home)?.count ?? 0;
  }

  get size(): number {
    return this.#sessions.size;
  }

  sessions(): Iterable<Session> {
    return this.#sessions;
  }

  /** A device's session after its CONNECT was accepted. */
  find(home: TenantId, device: DeviceId): Session | undefined {
    return this.#byHome.get(home)?.devices.get(device);
  }

  /** The handshake is done. */
  add(session: Session): void {
    this.#sessions.add(session);
    this.#of(session).count += 1;
  }

  /** CONNECT was accepted; returns the session that this one takes the place of (MQTT 3.1.1 §3.1.4). */
  admit(session: Session): Session | undefined {
    const { devices } = this.#of(session);
    const before = devices.get(session.identity.device);
    devices.set(session.identity.device, session);
    return before;
  }

  remove(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    const home = this.#of(session);
    home.count -= 1;
    if (home.devices.get(session.identity.device) === session) home.devices.delete(session.identity.device);
  }

  #of(session: Session) {
    const home = this.#byHome.get(session.home);
    if (home === undefined) throw new Error(`no tenant ${session.home} is served here`);
    return home;
  }
}
