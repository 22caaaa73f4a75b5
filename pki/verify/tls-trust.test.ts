import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureVersion, type Server, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceUri } from '../../protocol/identity.ts';
import {
  DEVICE,
  FARYS,
  FLUVIUS,
  type Leaf,
  makeIssuing,
  makeLeaf,
  makeRoot,
  NOW_MS,
  ORES,
} from '../testing/field.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { authorityOf } from '../x509/certify.ts';
import { makeCrl } from '../x509/crl.ts';
import { FRONT_URI, HEAD_END_URI } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';
import { createTlsTrust, identityOfTlsCertificate, type TlsTrustOptions } from './tls-trust.ts';

// TLS itself goes by the real clock, so these certificates are of today.
const realMs = Date.now();
const times = { notBeforeMs: realMs - 60_000 };
const root = makeRoot(times);
const ores = makeIssuing(root, ORES, times);
const fluvius = makeIssuing(root, FLUVIUS, times);
const headEnd = makeLeaf(root, {
  profile: PROFILES.headEnd,
  subject: { commonName: HEAD_END_URI },
  names: { uris: [HEAD_END_URI] },
  ...times,
});
const serverOf = (authority: typeof ores, chain: string) => {
  const leaf = makeLeaf(authority, {
    profile: PROFILES.frontServer,
    subject: { commonName: 'localhost' },
    names: { uris: [FRONT_URI], dns: ['localhost'] },
    ...times,
  });
  return { cert: leaf.pem + chain, key: leaf.keyPem };
};
const front = serverOf(authorityOf(headEnd.der, headEnd.privateKey), headEnd.pem);
const device = (changes: Parameters<typeof makeLeaf>[1] = {}) =>
  makeLeaf(ores, { profile: PROFILES.deviceTls, ...times, ...changes });

const issuers = [
  { tenant: ORES, certificate: ores.certificatePem },
  { tenant: FLUVIUS, certificate: fluvius.certificatePem },
];
const trustOf = (changes: Partial<TlsTrustOptions> = {}) =>
  createTlsTrust({ root: root.certificatePem, issuers, ...changes });
const code = (name: string) => expect.objectContaining({ code: name });
const atMs = realMs;

describe('the identity in a TLS certificate', () => {
  it('is not taken from a signature certificate, nor one for key agreement', () => {
    for (const profile of [PROFILES.deviceSign, PROFILES.deviceAgree, PROFILES.sealing])
      expect(() => trustOf().identity(device({ profile }).der, { atMs })).toThrow(code('ERR_TRUST_PROFILE'));
  });

  it('is not taken from a certificate of the front', () => {
    const { cert } = front;
    const der = Buffer.from(cert.split('-----')[2]!, 'base64');
    expect(() => trustOf().identity(der, { atMs })).toThrow(code('ERR_TRUST_ISSUER'));
  });

  it("is not taken from a certificate that another tenant's CA made", () => {
    const der = makeLeaf(fluvius, { profile: PROFILES.deviceTls, ...times }).der;
    expect(() => trustOf().identity(der, { atMs })).toThrow(code('ERR_TRUST_IDENTITY'));
  });

  it('has home, guests, and what a revocation would name', () => {
    const leaf = device({ names: { uris: [deviceUri(FARYS, DEVICE), deviceUri(ORES, DEVICE)] } });
    const trust = trustOf();
    const identity = identityOfTlsCertificate(leaf.der, { trust, atMs });
    const { serial, notAfterMs } = parseCertificate(leaf.der);
    const issuer = ores.certificate.subjectKeyId;
    expect(identity).toEqual({ tenant: ORES, device: DEVICE, guests: [FARYS], serial, issuer, notAfterMs });
    expect(trust.isRevoked(identity)).toBe(false);
    const entries = [{ serial, atMs, reason: 'keyCompromise' as const }];
    trust.replaceCrls([makeCrl(ores, { number: 1n, thisUpdateMs: atMs, nextUpdateMs: atMs + 1, entries })]);
    expect(trust.isRevoked(identity)).toBe(true);
    expect(() => trust.identity(leaf.der, { atMs })).toThrow(code('ERR_TRUST_REVOKED'));
  });

  it('has no guest whose operator does not take in devices of this home', () => {
    const uris = [deviceUri(ORES, DEVICE), deviceUri(FARYS, DEVICE), deviceUri(FLUVIUS, DEVICE)];
    const leaf = device({ names: { uris } });
    const guestsUnder = (guestHomes: NonNullable<TlsTrustOptions['guestHomes']>) =>
      trustOf({ guestHomes }).identity(leaf.der, { atMs }).guests;
    expect(guestsUnder({})).toEqual([]);
    expect(guestsUnder({ farys: [ORES], fluvius: [FLUVIUS] })).toEqual([FARYS]);
  });
});

describe('over TLS', () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function listen(seen: (socket: TLSSocket) => void, maxVersion: SecureVersion): Promise<number> {
    server = createServer(
      {
        ...front,
        ca: [root.certificatePem, ...issuers.map(({ certificate }) => certificate)],
        requestCert: true,
        rejectUnauthorized: true,
        maxVersion,
      },
      (socket) => {
        socket.on('error', () => {});
        seen(socket);
        socket.end('.');
      },
    );
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function dial(port: number, leaf: Leaf, session?: Buffer): Promise<Buffer | undefined> {
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: root.certificatePem,
      cert: leaf.pem,
      key: leaf.keyPem,
      ...(session === undefined ? {} : { session }),
    });
    let latest: Buffer | undefined;
    socket.on('session', (ticket) => {
      latest = ticket;
    });
    socket.resume();
    await once(socket, 'close');
    return latest;
  }

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is the same on a resumed %s session, and checked again there',
    async (version) => {
      const peers: { certificate: X509Certificate | undefined; reused: boolean }[] = [];
      const port = await listen(
        (socket) =>
          peers.push({ certificate: socket.getPeerX509Certificate(), reused: socket.isSessionReused() }),
        version,
      );
      const leaf = device();
      const session = await dial(port, leaf);
      await dial(port, leaf, session);
      expect(peers.map(({ reused }) => reused)).toEqual([false, true]);
      const trust = trustOf();
      const [first, resumed] = peers.map(({ certificate }) =>
        identityOfTlsCertificate(certificate!, { trust, atMs }),
      );
      expect(resumed).toEqual(first);
      expect(resumed!.device).toBe(DEVICE);
      const laterMs = first!.notAfterMs + 1;
      expect(() => identityOfTlsCertificate(peers[1]!.certificate!, { trust, atMs: laterMs })).toThrow(
        code('ERR_TRUST_EXPIRED'),
      );
    },
  );

  it.each([
    { name: 'a signature certificate', leaf: () => device({ profile: PROFILES.deviceSign }) },
    { name: 'a certificate for key agreement', leaf: () => device({ profile: PROFILES.deviceAgree }) },
    { name: 'an expired certificate', leaf: () => device({ notAfterMs: realMs - 1_000 }) },
    {
      name: 'a certificate under another root',
      leaf: () =>
        makeLeaf(makeIssuing(makeRoot(times), ORES, times), { profile: PROFILES.deviceTls, ...times }),
    },
    {
      name: "a client certificate of the head-end's CA",
      leaf: () =>
        makeLeaf(authorityOf(headEnd.der, headEnd.privateKey), { profile: PROFILES.deviceTls, ...times }),
    },
  ])('does not let in $name', async ({ leaf }) => {
    let entered = 0;
    const port = await listen(() => {
      entered += 1;
    }, 'TLSv1.3');
    await dial(port, leaf()).catch(() => undefined);
    expect(entered).toBe(0);
  });

  it("does not take a tenant's CA for the front's", async () => {
    const imposter = createServer({ ...serverOf(ores, ores.certificatePem) }, (socket) => socket.end());
    imposter.on('tlsClientError', () => {});
    imposter.listen(0, '127.0.0.1');
    await once(imposter, 'listening');
    const { port } = imposter.address() as AddressInfo;
    await expect(dial(port, device())).rejects.toThrow(/certificate/);
    imposter.close();
  });

  it('is refused before its time by the clock that is passed in, not the one of the machine', () => {
    expect(() => trustOf().identity(device().der, { atMs: NOW_MS })).toThrow(code('ERR_TRUST_NOT_YET_VALID'));
  });
});
