import { createPrivateKey, createPublicKey } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import type { DeviceKeyName } from '../../../pki/device.ts';
import { CREDENTIALS } from '../../../pki/enrolment/request.ts';
import { keyHash } from '../../../pki/enrolment/request-check.ts';
import { type DeviceIdentity, parseDeviceIdentity } from '../../../pki/identity.ts';
import type { IdentityPort } from '../device-options.ts';
import type { OutboxFiles } from '../outbox/files.ts';
import { pemOf, type RenewalWorld, renewalWorld } from '../testing/renewal.ts';
import { isDone, Plans } from './plan.ts';
import { renewKey } from './renew.ts';

/**
 * The power is cut at each step of a renewal in turn: before an operation on a file and after it, before a request
 * reaches the server and after it was answered and the answer is lost. What comes after in that process never happens.
 * Then the device starts again, and nothing but that.
 */

/** Of the second cuts each fourth, another each time: all of them with all first ones take half a minute. */
const SECOND_CUTS_APART = 4;

class PowerCut extends Error {}

const FILE = '/device/identity.json';
const nowMs = Date.now();
const world: RenewalWorld = renewalWorld(() => nowMs);
afterAll(() => world.close());

class Device {
  readonly files = new Map<string, Uint8Array>();
  cutAt = Number.POSITIVE_INFINITY;
  steps = 0;

  readonly due: DeviceIdentity;

  constructor(identity: DeviceIdentity) {
    this.due = identity;
    this.files.set(FILE, Buffer.from(JSON.stringify(identity)));
  }

  /** Both sides of whatever lasts. */
  step<T>(run: () => T): T {
    this.#moment();
    const result = run();
    this.#moment();
    return result;
  }

  #moment(): void {
    this.steps += 1;
    if (this.steps >= this.cutAt) throw new PowerCut();
  }

  /** A durable replace is old or new, whenever the power is cut (outbox/files.ts), so two sides are all there is. */
  get port(): OutboxFiles {
    const never = (): never => {
      throw new Error('not of a renewal');
    };
    return {
      read: (path) => {
        const bytes = this.files.get(path);
        return bytes === undefined ? undefined : Buffer.from(bytes);
      },
      replaceDurably: async (path, bytes) => this.step(() => void this.files.set(path, Buffer.from(bytes))),
      remove: (path) => this.step(() => void this.files.delete(path)),
      readAt: never,
      append: never,
      appendDurably: never,
      truncate: never,
      replace: never,
      flush: never,
    };
  }

  get identity(): IdentityPort {
    const load = () => parseDeviceIdentity(Buffer.from(this.files.get(FILE)!).toString());
    return {
      device: load().device,
      load,
      save: (identity) => this.step(() => void this.files.set(FILE, Buffer.from(JSON.stringify(identity)))),
    };
  }

  /** What a process does from its start on (Renewal): it goes on with what was begun, and tidies what was done. */
  async renew(name: DeviceKeyName): Promise<void> {
    const moment = () => this.#moment();
    const server = world.server({ before: moment, after: moment });
    const { identity, port: files } = this;
    const plans = new Plans(FILE, identity.device, files);
    const plan = plans.read(name);
    const now = identity.load();
    // Without a plan a new key is due only while the one that was due is in use.
    const begins = plan === undefined ? now[name].key === this.due[name].key : !isDone(plan, now, name);
    if (begins) await renewKey({ file: FILE, identity, server, development: false, nowMs, files }, name);
    plans.remove(name);
  }

  /** @returns whether the power was cut, whatever the code made of it */
  async renewUntil(cutAt: number, name: DeviceKeyName): Promise<boolean> {
    this.steps = 0;
    this.cutAt = cutAt;
    const failure = await this.renew(name).catch((error: unknown) => error);
    const cut = this.steps >= cutAt;
    if (!cut) expect(failure).toBeUndefined();
    this.cutAt = Number.POSITIVE_INFINITY;
    return cut;
  }
}

describe.each(['tls', 'sign', 'agree'] as const)('a renewal of the key %s', (name) => {
  it('whose power is cut anywhere, and again anywhere, ends in one new key with its certificate', async () => {
    let cuts = 0;
    for (let first = 1; ; first += 1) {
      let cut = false;
      for (let second = 1 + (first % SECOND_CUTS_APART); ; second += SECOND_CUTS_APART) {
        const before = world.enrol();
        const device = new Device(before);
        cut = await device.renewUntil(first, name);
        const again = cut && (await device.renewUntil(second, name));
        // At every moment there is a whole identity, whose keys are certified.
        const between = device.identity.load();
        expect(certificateOf(between[name].key)).toBe(between[name].certificate);
        await device.renew(name);
        const after = device.identity.load();
        const at = `cut ${first}, then ${second}`;
        expect(after[name].key, at).not.toBe(before[name].key);
        expect(certificateOf(after[name].key), at).toBe(after[name].certificate);
        const filter = { device: before.device, profile: CREDENTIALS[name].name };
        const records = world.register.certificates.list({ filter, limit: 100 });
        expect(
          records.map(({ state }) => state),
          at,
        ).toEqual(['replaced', 'valid']);
        expect([...device.files.keys()], at).toEqual([FILE]);
        if (name === 'agree') expect(after.agreeBefore).toEqual([before.agree]);
        if (!again) break;
      }
      if (!cut) break;
      cuts += 1;
    }
    expect(cuts).toBeGreaterThanOrEqual(8);
  });
});

const certificateOf = (key: string): string | undefined => {
  const spki = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
  const record = world.register.certificates.byKey(keyHash(spki));
  return record === undefined ? undefined : pemOf(record.der);
};
