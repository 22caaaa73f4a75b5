import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTls } from '../../gateway/edge/uplink/tls.ts';
import {
  BAD_CERTIFICATES,
  type Bad,
  type BadRow,
  type Ground,
  rightBut,
  sameSerial,
} from '../../pki/testing/bad-certificates.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import { authorityOf, newKeyPair, type SigningAuthority } from '../../pki/x509/certify.ts';
import { makeCrl, parseCrl } from '../../pki/x509/crl.ts';
import { FRONT_URI, personUri } from '../../pki/x509/names.ts';
import { derOf, toPem } from '../../pki/x509/pem.ts';
import { PROFILES } from '../../pki/x509/profiles.ts';
import { deviceUri } from '../../protocol/identity.ts';
import { upTopic } from '../../protocol/topics.ts';
import type { Field } from '../support/field.ts';
import { dial, sendOnce } from '../support/line.ts';
import { ApiRefusal, apiFace } from '../support/marco-api.ts';
import { sealIndex } from '../support/sealing.ts';
import { by, port } from './forge-craft.ts';
import { FARYS, ORES } from './forge-people.ts';
import { ForgeWorld, type Meter, stateOf, until } from './forge-world.ts';

/**
 * The table of bad certificates against a real front, router, desk and meter over real TLS: each row is refused where
 * it is shown, and for its reason as far as that place tells one.
 */

const SERIAL = Buffer.from('5e'.repeat(16), 'hex');

/** Take a serial number back before anybody reads the list. */
function takeBack(authority: SigningAuthority, file: string): void {
  const { number, entries } = parseCrl(derOf('X509 CRL', readFileSync(file, 'utf8')));
  const list = makeCrl(authority, {
    number: number + 1n,
    thisUpdateMs: Date.now(),
    nextUpdateMs: authority.certificate.notAfterMs,
    entries: [...entries, { serial: SERIAL.toString('hex'), atMs: Date.now(), reason: 'keyCompromise' }],
  });
  writeFileSync(file, toPem('X509 CRL', list));
}

const authorityOfFiles = (files: { readonly certificate: string; readonly key: string }): SigningAuthority =>
  authorityOf(
    derOf('CERTIFICATE', readFileSync(files.certificate, 'utf8')),
    createPrivateKey(readFileSync(files.key, 'utf8')),
  );

let world: ForgeWorld;
let meter: Meter;
let deviceGround: Omit<Ground, 'profile' | 'wrongProfile'>;
let personGround: Omit<Ground, 'profile' | 'wrongProfile'>;
beforeAll(async () => {
  world = await ForgeWorld.create(({ pki }: Field) => {
    takeBack(pki.authorities.get(ORES)!, pki.layout.crl(ORES));
    takeBack(pki.office!.authorities.get(ORES)!, pki.layout.office.crl(ORES));
  });
  const { pki } = world.field;
  meter = await world.meter();
  const { device } = meter.identity;
  const common = { nowMs: Date.now(), revokedSerial: SERIAL };
  deviceGround = {
    ...common,
    commonName: device,
    uri: deviceUri(ORES, device),
    foreignUri: deviceUri(FARYS, device),
    root: authorityOfFiles(pki.layout.root),
    issuing: pki.authorities.get(ORES)!,
    foreign: pki.authorities.get(FARYS)!,
  };
  const name = { role: 'operator', person: 'operator' } as const;
  personGround = {
    ...common,
    commonName: name.person,
    uri: personUri({ ...name, tenant: ORES }),
    foreignUri: personUri({ ...name, tenant: FARYS }),
    root: authorityOfFiles(pki.layout.office.root),
    issuing: pki.office!.authorities.get(ORES)!,
    foreign: pki.office!.authorities.get(FARYS)!,
  };
}, 120_000);
afterAll(() => world.close(), 120_000);

const ROWS = BAD_CERTIFICATES.filter(({ onlyProduction }) => onlyProduction !== true).map((row) => ({
  what: row.what,
  row,
}));
/** An envelope has no room for a huge one: whoever seals it is told so. */
const IN_ENVELOPES = ROWS.filter(({ what }) => what !== 'that is huge');
const OVER_TLS = ROWS.filter(({ row }) => row.overTls);
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string;
/** The sender minds no weak key of its own. */
const LAX = { ciphers: 'DEFAULT@SECLEVEL=0' };
const chainOf = ({ der, between }: Bad): string => toPem('CERTIFICATE', der) + between;

describe('the front', () => {
  /** What TLS itself finds, it says in its own words. */
  const REASONS: Readonly<Record<string, string>> = {
    ERR_TRUST_EXPIRED: 'certificate-expired',
    ERR_TRUST_NOT_YET_VALID: 'certificate-early',
    ERR_TRUST_PROFILE: 'certificate-profile',
    ERR_TRUST_IDENTITY: 'certificate-identity',
    ERR_TRUST_REVOKED: 'certificate-revoked',
    ERR_TRUST_ISSUER: 'certificate-untrusted',
    ERR_TRUST_SIGNATURE: 'certificate-untrusted',
    ERR_TRUST_MALFORMED: 'certificate-malformed',
  };
  const reasonOf = ({ what, code, openssl }: BadRow): string => {
    // A front trusts the CAs of all tenants, each for its own devices.
    if (what.startsWith('of another tenant')) return 'certificate-identity';
    return code === 'ERR_TRUST_MALFORMED' && openssl !== null ? 'certificate-untrusted' : REASONS[code]!;
  };

  const connectAs = (ground: Ground, { der, privateKey, between }: Bad) => {
    const tls = { key: pemOf(privateKey), certificate: chainOf({ der, privateKey, between }) };
    return dial({ ...meter.identity, tls }, world.headEnd.port, ground.commonName, LAX);
  };
  const ground = (): Ground => ({ ...deviceGround, profile: PROFILES.deviceTls, wrongProfile: 'deviceSign' });

  it('lets in the right one', async () => {
    const { der, privateKey } = rightBut(ground());
    const line = await connectAs(ground(), { der, privateKey, between: '' });
    expect(line.of(0x20)[0]?.[1]).toBe(0);
    await line.leave();
  });

  it.each(OVER_TLS)('refuses a certificate $what', async ({ row }) => {
    const { counters } = world.headEnd;
    const reason = `refused.${reasonOf(row)}`;
    const before = counters.snapshot();
    const line = await connectAs(ground(), row.make(ground()));
    await line.untilClosed();
    expect(line.received).toHaveLength(0);
    await until(reason, () => counters.get(reason) === (before[reason] ?? 0) + 1);
  });

  it('refuses a second certificate under the serial number of one in use', async () => {
    const [first, second] = sameSerial(ground());
    const { counters } = world.headEnd;
    const line = await connectAs(ground(), { ...first, between: '' });
    expect(line.of(0x20)[0]?.[1]).toBe(0);
    await line.leave();
    const before = counters.get('refused.certificate-untrusted');
    const other = await connectAs(ground(), { ...second, between: '' });
    await other.untilClosed();
    expect(other.received).toHaveLength(0);
    await until('it is refused', () => counters.get('refused.certificate-untrusted') === before + 1);
  });
});

describe('a router', () => {
  const VERDICTS: Readonly<Record<string, string>> = {
    ERR_TRUST_NOT_YET_VALID: 'later',
    ERR_TRUST_REVOKED: 'refused.revoked',
    ERR_TRUST_ISSUER: 'refused.identity',
    ERR_TRUST_IDENTITY: 'refused.identity',
  };
  const ground = (): Ground => ({ ...deviceGround, profile: PROFILES.deviceSign, wrongProfile: 'deviceTls' });
  let sender: DeviceIdentity;
  let sequence = 0;
  beforeAll(() => {
    const { der, privateKey } = rightBut({ ...ground(), profile: PROFILES.deviceTls });
    sender = { ...meter.identity, tls: { key: pemOf(privateKey), certificate: toPem('CERTIFICATE', der) } };
  });

  const send = ({ der }: Bad, key: KeyObject) => {
    sequence += 1;
    const signer = { key: pemOf(key), certificate: toPem('CERTIFICATE', der) };
    const { sealed } = sealIndex(world.field, sender, ORES, sequence, { signer });
    return sendOnce(sender, world.headEnd.port, upTopic(ORES, sender.device, 'index'), sealed);
  };

  it.each(IN_ENVELOPES)('refuses a reading under a certificate $what', async ({ row }) => {
    const counters = world.headEnd.routerCounters(ORES);
    const verdict = VERDICTS[row.code] ?? 'refused.signature';
    const made = row.make(ground());
    // An envelope is signed with P-256 whatever its certificate says.
    const key =
      made.privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1'
        ? made.privateKey
        : createPrivateKey(newKeyPair().privateKeyPem);
    const before = counters.snapshot();
    await send(made, key);
    await until(`${row.what}: ${verdict}`, () =>
      Object.entries(counters.snapshot()).some(
        ([name, count]) => name.endsWith(verdict) && count !== (before[name] ?? 0),
      ),
    );
    expect(world.headEnd.records(ORES)).toEqual([]);
  });

  it('refuses a second certificate under the serial number of one in use', async () => {
    const [first, second] = sameSerial(ground());
    const counters = world.headEnd.routerCounters(ORES);
    const delivered = counters.get('delivered');
    await send({ ...first, between: '' }, first.privateKey);
    await until('the first is believed', () => counters.get('delivered') === delivered + 1);
    const before = counters.get('refused.identity');
    await send({ ...second, between: '' }, second.privateKey);
    await until('the second is not', () => counters.get('refused.identity') === before + 1);
  });
});

describe("the desk's API", () => {
  const ground = (): Ground => ({ ...personGround, profile: PROFILES.personTls, wrongProfile: 'personSign' });
  const me = async ({ der, privateKey, between }: Bad): Promise<unknown> => {
    const { tls } = world.office.person('operator');
    const face = apiFace(`https://localhost:${world.desk.port}`, {
      tls: { ...tls, ...LAX, key: pemOf(privateKey), cert: chainOf({ der, privateKey, between }) },
    });
    try {
      return await face.get('/v1/me');
    } finally {
      face.close();
    }
  };

  it('opens to the right one', async () => {
    const { der, privateKey } = rightBut(ground());
    const { issuing } = ground();
    expect(await me({ der, privateKey, between: issuing.certificatePem })).toMatchObject({ tenant: ORES });
  });

  it.each(OVER_TLS)('refuses a certificate $what', async ({ row }) => {
    const refused = await me(row.make(ground())).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Error);
    // What TLS let pass, the desk refuses by name.
    if (refused instanceof ApiRefusal) expect(refused).toMatchObject({ status: 401, code: row.code });
    else expect(row.openssl === null && row.code !== 'ERR_TRUST_PROFILE').toBe(false);
  });
});

describe('a meter', () => {
  const ground = (): Ground => ({ ...personGround, profile: PROFILES.personSign, wrongProfile: 'personTls' });
  beforeAll(async () => {
    // The other one's place was taken by those who came under its name.
    // It was told of a revoked serial number, as by a notice of its operator.
    meter = await world.meter({ revokedPeople: { [ORES]: [SERIAL.toString('hex')] } });
  }, 120_000);
  const order = ({ der }: Bad, privateKey: KeyObject) =>
    world.carry(meter, world.seal(meter, by(port(world, meter), { privateKey, certificate: der })));

  it.each(IN_ENVELOPES)('refuses a command under a certificate $what', async ({ row }) => {
    const made = row.make(ground());
    const key =
      made.privateKey.asymmetricKeyDetails?.namedCurve === 'prime256v1'
        ? made.privateKey
        : createPrivateKey(newKeyPair().privateKeyPem);
    const before = stateOf(meter);
    expect(await order(made, key)).toMatch(/^refused sign(er|ature)$/);
    expect(stateOf(meter).done).toEqual(before.done);
  });

  it('obeys the right one', async () => {
    const { der, privateKey } = rightBut(ground());
    expect(await order({ der, privateKey, between: '' }, privateKey)).toBe('executed');
  });
});

describe('a meter that connects', () => {
  /** What only names are wrong in concerns those who read names of ours; a server is known by its host. */
  const SERVERS = OVER_TLS.filter(
    ({ row: { code, openssl, what } }) =>
      (openssl !== null && code !== 'ERR_TRUST_REVOKED') ||
      code === 'ERR_TRUST_PROFILE' ||
      what.startsWith('of another'),
  ).filter(({ what }) => what !== 'that is a CA itself');
  const ground = (): Ground => ({
    ...deviceGround,
    profile: PROFILES.frontServer,
    wrongProfile: 'deviceTls',
    commonName: 'localhost',
    uri: FRONT_URI,
    dns: ['localhost'],
    issuing: authorityOfFiles(world.field.pki.layout.headEnd),
  });
  const meets = async ({ der, privateKey, between }: Bad): Promise<string> => {
    const chain = chainOf({ der, privateKey, between });
    const server = createServer({ key: pemOf(privateKey), cert: chain, ...LAX });
    server.on('tlsClientError', () => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const at = { host: '127.0.0.1', port, servername: 'localhost' };
    const socket = startTls(at, meter.identity, { session: undefined });
    const met = await new Promise<string>((resolve) => {
      socket.once('secureConnect', () => resolve('met'));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    return met;
  };

  it('meets the right front', async () => {
    const { der, privateKey } = rightBut(ground());
    expect(await meets({ der, privateKey, between: ground().issuing.certificatePem })).toBe('met');
  });

  it.each(SERVERS)('ends where the front has a certificate $what', async ({ row }) => {
    expect(await meets(row.make(ground()))).not.toBe('met');
  });
});
