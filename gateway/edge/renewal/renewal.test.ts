import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { pkiError } from '../../../pki/errors.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { makeIssuing, makeLeaf, makeRoot, ORES, OTHER_DEVICE } from '../../../pki/testing/field.ts';
import { parseCertificate } from '../../../pki/x509/certificate.ts';
import { certify } from '../../../pki/x509/certify.ts';
import { derOf, readPem } from '../../../pki/x509/pem.ts';
import { PROFILES } from '../../../pki/x509/profiles.ts';
import { type DeviceId, deviceUri } from '../../../protocol/identity.ts';
import { manualClock } from '../../runtime/clock.ts';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { filesInMemory, identityInMemory } from '../testing/memory.ts';
import { pemOf, type RenewalWorld, renewalWorld, type ServerHooks } from '../testing/renewal.ts';
import { renewAtMs } from './due.ts';
import { Renewal, type RenewalOptions } from './renewal.ts';
import type { RenewalServer } from './server.ts';

const DAY_MS = 86_400_000;
const LIFE_MS = PROFILES.deviceTls.validityDays * DAY_MS;
const FILE = '/device/identity.json';
const startMs = Date.now();
/** The CA's clock: it goes on with the device's, unless a test takes them apart. */
const caClock = manualClock(startMs);
const world: RenewalWorld = renewalWorld(() => caClock.nowMs());
afterEach(() => caClock.set(startMs));
afterAll(() => world.close());

function stage(hooks: ServerHooks | RenewalServer = {}, changes: Partial<RenewalOptions> = {}) {
  const before = world.enrol();
  const identity = identityInMemory(before);
  const files = filesInMemory();
  const clock = manualClock(caClock.nowMs());
  const counters = new Counters();
  let monotonicMs = 0;
  const options: RenewalOptions = {
    file: FILE,
    identity,
    server: 'connect' in hooks ? hooks : world.server(hooks),
    development: false,
    clock,
    random: seededRandom('renewal'),
    log: silentLog,
    counters,
    files,
    limits: { startSpreadMs: 0, backoffBaseMs: 1_000, backoffMaxMs: 60_000 },
    monotonicMs: () => monotonicMs,
    ...changes,
  };
  let renewal = new Renewal(options);
  const renewed: string[] = [];
  renewal.onRenewed((name) => renewed.push(name));
  return {
    before,
    identity,
    files,
    clock,
    counters,
    renewed,
    get renewal() {
      return renewal;
    },
    /** One look, and what it began. */
    async tick() {
      renewal.tick();
      await renewal.idle();
    },
    pass(ms: number) {
      monotonicMs += ms;
      clock.advance(ms);
    },
    monotonic(ms: number) {
      monotonicMs += ms;
    },
    /** The process is gone; another begins. */
    again() {
      renewal = new Renewal(options);
    },
  };
}

const unreachable = (): never => {
  throw pkiError('ERR_EST_UNREACHABLE', 'nobody there');
};

describe('a key is due', () => {
  it('at two thirds of its life and up to a twelfth of it later, another moment for each', () => {
    const moments = Array.from({ length: 40 }, () => {
      const identity = world.enrol();
      const { notBeforeMs, notAfterMs } = parseCertificate(derOf('CERTIFICATE', identity.tls.certificate));
      return (renewAtMs(identity, 'tls') - notBeforeMs) / (notAfterMs - notBeforeMs);
    });
    expect(Math.min(...moments)).toBeGreaterThanOrEqual(2 / 3);
    expect(Math.max(...moments)).toBeLessThanOrEqual(2 / 3 + 1 / 12);
    expect(new Set(moments.map((moment) => moment.toFixed(4))).size).toBeGreaterThan(30);
  });
});

describe('a key of an issuing CA that its home has replaced', () => {
  const successor = makeIssuing(world.root, ORES, { notBeforeMs: startMs + DAY_MS });
  const told = (identity: DeviceIdentity, ca: { readonly certificatePem: string }): DeviceIdentity => ({
    ...identity,
    owners: { [ORES]: { ...identity.owners[ORES]!, certificate: sealingPem(identity) + ca.certificatePem } },
  });

  it('is due within a month of it, once a notice has told so, and each device at its own moment', () => {
    const moments = Array.from({ length: 20 }, () => {
      const identity = world.enrol();
      expect(renewAtMs(identity, 'sign')).toBeGreaterThan(startMs + LIFE_MS / 2);
      return (renewAtMs(told(identity, successor), 'sign') - startMs) / DAY_MS;
    });
    expect(Math.min(...moments)).toBeGreaterThan(15);
    expect(Math.max(...moments)).toBeLessThan(32);
    expect(new Set(moments.map((moment) => moment.toFixed(1))).size).toBeGreaterThan(10);
  });

  it('is not where it is of the later CA itself, told of or not', () => {
    const identity = world.enrol();
    const { certificate } = identity.sign;
    const renewed = certifyAs(
      { certificate: derOf('CERTIFICATE', certificate) },
      { authority: successor, notBeforeMs: startMs + 2 * DAY_MS },
    );
    const later = { ...identity, sign: { ...identity.sign, certificate: pemOf(renewed) } };
    for (const one of [later, told(later, successor)])
      expect(renewAtMs(one, 'sign')).toBeGreaterThan(startMs + LIFE_MS / 2);
  });
});

const sealingPem = (identity: DeviceIdentity): string =>
  pemOf(readPem('CERTIFICATE', identity.owners[ORES]!.certificate)[0]!);

describe('a renewal', () => {
  it('is of each key when it is due and no sooner, and tells the next', async () => {
    const s = stage();
    await s.tick();
    expect(s.renewed).toEqual([]);
    expect(s.renewal.nextMs()).toBeGreaterThan(startMs + LIFE_MS / 2);
    const forward = Math.ceil(LIFE_MS * 0.76);
    s.pass(forward);
    caClock.advance(forward);
    for (let look = 0; look < 5; look += 1) await s.tick();
    expect(s.renewed.toSorted()).toEqual(['agree', 'sign', 'tls']);
    expect(s.renewal.status()).toMatchObject({ pending: [], failure: null, lastMs: s.clock.nowMs() });
    expect(s.renewal.nextMs()).toBeGreaterThan(s.clock.nowMs() + LIFE_MS / 2);
    const now = s.identity.load();
    expect(now.agreeBefore).toEqual([s.before.agree]);
    expect(now.untold).toEqual([ORES]);
  });

  it('of a device whose CA is away is tried again, further and further apart, and the keys in use stay', async () => {
    let asked = 0;
    const s = stage({
      before: () => {
        asked += 1;
        unreachable();
      },
    });
    s.pass(LIFE_MS * 0.76);
    for (let second = 0; second < 600; second += 1) {
      await s.tick();
      s.monotonic(1_000);
    }
    // Three keys, each after at most a minute, on average half of it, once the first minute is over.
    expect(asked).toBeGreaterThan(30);
    expect(asked).toBeLessThan(120);
    expect(s.renewal.status().failure).toMatchObject({ code: 'ERR_EST_UNREACHABLE' });
    expect(s.identity.load()).toEqual(s.before);
  });

  it('comes back as late as it was told to, and not at the same moment as the others', async () => {
    let asked = 0;
    const s = stage({
      before: () => {
        asked += 1;
        throw pkiError('ERR_EST_LATER', 'later', { context: { seconds: 1_000 } });
      },
    });
    s.pass(LIFE_MS * 0.76);
    for (let look = 0; look < 5; look += 1) await s.tick();
    expect(asked).toBe(3);
    s.monotonic(999_000);
    await s.tick();
    expect(asked).toBe(3);
    s.monotonic(501_000);
    await s.tick();
    expect(asked).toBe(4);
  });

  it('is not driven by a clock that is years ahead, or was never set', async () => {
    const s = stage({ serverMs: () => startMs });
    s.clock.advance(LIFE_MS);
    for (let look = 0; look < 100; look += 1) {
      await s.tick();
      s.monotonic(60_000);
    }
    expect(s.renewed).toEqual([]);
    expect(s.files.content.size).toBe(0);
    expect(s.renewal.status().failure).toMatchObject({ code: 'ERR_RENEWAL_CLOCK' });
    s.clock.advance(-LIFE_MS);
    await s.tick();
    expect(s.renewal.status().failure).toBeNull();
    s.clock.advance(-startMs);
    await s.tick();
    expect(s.renewal.status()).toMatchObject({ failure: null, pending: [] });
  });

  it('is not in airplane mode, and ends what is under way when that begins', async () => {
    let asked = 0;
    let ended = false;
    const s = stage({
      connect: (_, signal) => ({
        authorities: () =>
          new Promise((_resolve, reject) => {
            asked += 1;
            signal!.addEventListener('abort', () => {
              ended = true;
              reject(pkiError('ERR_EST_UNREACHABLE', 'ended'));
            });
          }),
        reenroll: unreachable,
        close: () => undefined,
      }),
    });
    let silent = true;
    s.renewal.silentWhile(() => silent);
    s.pass(LIFE_MS * 0.76);
    await s.tick();
    expect(asked).toBe(0);
    silent = false;
    s.renewal.tick();
    silent = true;
    // The attempt begins in its turn, a moment after.
    while (asked === 0) await new Promise((resolve) => setImmediate(resolve));
    await s.tick();
    expect({ asked, ended }).toEqual({ asked: 1, ended: true });
  });

  it('begins late after a start, so that a town that gets its power back does not come at once', async () => {
    const s = stage({}, { limits: { startSpreadMs: 600_000 } });
    s.clock.advance(LIFE_MS * 0.76);
    await s.tick();
    expect(s.renewed).toEqual([]);
    expect(s.renewal.nextMs()).toBeGreaterThan(s.clock.nowMs());
    expect(s.renewal.nextMs()).toBeLessThanOrEqual(s.clock.nowMs() + 600_000);
    await s.renewal.close();
  });

  it('takes a certificate by another issuing CA of its home, under the same root', async () => {
    const successor = makeIssuing(world.root, ORES, { notBeforeMs: startMs - DAY_MS });
    const s = stage(
      answering((der) => certifyAs(der, { authority: successor }), [successor.certificate.der]),
    );
    expect(await s.renewal.perform('sign')).toBe('done');
    expect(parseCertificate(derOf('CERTIFICATE', s.identity.load().sign.certificate)).authorityKeyId).toBe(
      successor.certificate.subjectKeyId,
    );
  });

  const other = makeRoot({ notBeforeMs: startMs - DAY_MS });
  const FLUVIUS = 'fluvius' as typeof ORES;
  it.each<[string, string, Parameters<typeof certifyAs>[1]]>([
    ['for another device', 'ERR_ENROL_ANSWER', { device: OTHER_DEVICE }],
    ['with a guest more', 'ERR_ENROL_ANSWER', { more: [FLUVIUS] }],
    ['for another key', 'ERR_ENROL_ANSWER', { spki: parseCertificate(makeLeaf(world.issuing).der).spki }],
    ['for another use', 'ERR_TRUST_PROFILE', { profile: PROFILES.deviceTls }],
    [
      'of another tenant’s CA',
      'ERR_TRUST_AUTHORITY',
      { authority: makeIssuing(world.root, FLUVIUS, { notBeforeMs: startMs - DAY_MS }) },
    ],
    [
      'under another root',
      'ERR_TRUST_AUTHORITY',
      { authority: makeIssuing(other, ORES, { notBeforeMs: startMs - DAY_MS }) },
    ],
    ['that is over', 'ERR_TRUST_EXPIRED', { notAfterMs: startMs - 1 }],
    ['that begins in years', 'ERR_TRUST_NOT_YET_VALID', { notBeforeMs: startMs + 2 * 365 * DAY_MS }],
  ])(
    'refuses a certificate %s (%s), whatever the server calls its CAs, and stays as it was',
    async (_, code, wrong) => {
      const cas = [
        world.issuing.certificate.der,
        ...(wrong.authority ? [wrong.authority.certificate.der] : []),
      ];
      const s = stage(answering((der) => certifyAs(der, wrong), cas));
      expect(await s.renewal.perform('sign')).toBe('hardware');
      expect(s.renewal.status()).toMatchObject({ pending: ['sign'], failure: { key: 'sign', code } });
      expect(s.identity.load()).toEqual(s.before);
    },
  );

  it('throws a key away that its CA will never certify, and makes another', async () => {
    const refusals = [...Array(2).keys()];
    const s = stage({
      before: (what) => {
        if (what === 'reenroll' && refusals.pop() !== undefined)
          throw pkiError('ERR_EST_REFUSED', 'no', { context: { status: 400, refusal: 'ERR_CA_KEY' } });
      },
    });
    expect(await s.renewal.perform('tls')).toBe('hardware');
    expect(s.files.content.size).toBe(0);
    expect(await s.renewal.perform('tls')).toBe('hardware');
    expect(await s.renewal.perform('tls')).toBe('done');
  });

  it('that was begun before the device was enrolled anew does not come back', async () => {
    const s = stage();
    const { save } = s.identity;
    s.identity.save = () => {
      throw pkiError('ERR_PKI_RIGHTS', 'no right');
    };
    expect(await s.renewal.perform('sign')).toBe('hardware');
    expect(s.renewal.status()).toMatchObject({ pending: ['sign'], failure: { code: 'ERR_PKI_RIGHTS' } });
    const { key } = JSON.parse(Buffer.from(s.files.content.get(`${FILE}.renew-sign`)!).toString());
    s.identity.save = save;
    const certificate = derOf('CERTIFICATE', s.before.sign.certificate);
    const anew = certifyAs({ certificate }, { notBeforeMs: startMs + 60_000 });
    save({ ...s.before, sign: { ...s.before.sign, certificate: pemOf(anew) } });
    expect(await s.renewal.perform('sign')).toBe('done');
    expect(s.identity.load().sign.key).not.toBe(key);
    expect(s.identity.load().sign.key).not.toBe(s.before.sign.key);
  });

  it('keeps the keys in use where the disk is full, and goes on when there is room', async () => {
    const s = stage();
    s.files.full = true;
    expect(await s.renewal.perform('agree')).toBe('busy');
    expect(s.identity.load()).toEqual(s.before);
    s.files.full = false;
    expect(await s.renewal.perform('agree')).toBe('done');
  });

  it('keeps as many keys for agreement as may be needed, newest first', async () => {
    const s = stage();
    const keys = [s.before.agree.key];
    for (let round = 0; round < 6; round += 1) {
      expect(await s.renewal.perform('agree')).toBe('done');
      keys.unshift(s.identity.load().agree.key);
      await s.tick();
      s.monotonic(61_000);
      await s.tick();
    }
    expect(s.identity.load().agreeBefore!.map(({ key }) => key)).toEqual(keys.slice(1, 5));
  });
});

describe('credential.renew', () => {
  it('of a key that was renewed a moment ago is done already; a minute later it is another', async () => {
    const s = stage();
    expect(await s.renewal.perform('tls')).toBe('done');
    const first = s.identity.load().tls.key;
    expect(await s.renewal.perform('tls')).toBe('done');
    expect(s.identity.load().tls.key).toBe(first);
    await s.tick();
    s.monotonic(61_000);
    await s.tick();
    expect(s.files.content.size).toBe(0);
    expect(await s.renewal.perform('tls')).toBe('done');
    expect(s.identity.load().tls.key).not.toBe(first);
  });

  it('whose server is away is told as busy, and goes on by itself; after a restart the truth is told', async () => {
    let away = true;
    const s = stage({ before: (what) => void (what === 'reenroll' && away && unreachable()) });
    expect(await s.renewal.perform('sign')).toBe('busy');
    expect(s.renewal.standing('sign')).toBe(false);
    s.again();
    expect(s.renewal.standing('sign')).toBe(false);
    away = false;
    await s.tick();
    expect(s.identity.load().sign.key).not.toBe(s.before.sign.key);
    s.again();
    expect(s.renewal.standing('sign')).toBe(true);
    expect(s.renewal.standing('tls')).toBe(false);
  });

  it('under way when the edge stops ends at once, and goes on with the next start', async () => {
    let stop: () => void = () => {};
    const s = stage({
      connect: (_, signal) => ({
        authorities: () =>
          new Promise((_resolve, reject) => {
            signal!.addEventListener('abort', () => reject(pkiError('ERR_EST_UNREACHABLE', 'ended')));
            stop();
          }),
        reenroll: unreachable,
        close: () => undefined,
      }),
    });
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const performed = s.renewal.perform('tls');
    await stopped;
    await s.renewal.close();
    expect(await performed).toBe('busy');
    s.renewal.tick();
    expect(s.identity.load()).toEqual(s.before);
  });
});

function answering(
  answer: (request: { readonly certificate: Uint8Array }) => Uint8Array,
  certificates: readonly Uint8Array[],
): RenewalServer {
  const honest = world.server();
  return {
    connect: (identity, signal) => {
      const session = honest.connect(identity, signal);
      return {
        ...session,
        authorities: async () => ({ certificates, serverMs: startMs }),
        reenroll: async (name, request) => answer({ certificate: await session.reenroll(name, request) }),
      };
    },
  };
}

/** What an honest CA answered, with something wrong in it. */
function certifyAs(
  { certificate }: { readonly certificate: Uint8Array },
  changes: {
    readonly authority?: ReturnType<typeof makeIssuing>;
    readonly device?: DeviceId;
    readonly more?: readonly (typeof ORES)[];
    readonly spki?: Uint8Array;
    readonly profile?: (typeof PROFILES)['deviceTls'];
    readonly notBeforeMs?: number;
    readonly notAfterMs?: number;
  },
): Uint8Array {
  const { commonName, spki } = parseCertificate(certificate);
  const { authority = world.issuing, more = [], profile = PROFILES.deviceSign, ...rest } = changes;
  const device = changes.device ?? (commonName as DeviceId);
  return certify(authority, {
    profile,
    subject: { commonName: device },
    names: { uris: [ORES, ...more].map((tenant) => deviceUri(tenant, device)) },
    spki: rest.spki ?? spki,
    notBeforeMs: rest.notBeforeMs ?? startMs - 3_600_000,
    ...(rest.notAfterMs === undefined ? {} : { notAfterMs: rest.notAfterMs }),
  });
}
