import { createPublicKey, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAuthority } from '../pki/ca/authority.ts';
import { openRegister } from '../pki/ca/register.ts';
import { startEst } from '../pki/est/server.ts';
import { DAY_MS, makeIssuing, makeLeaf, makeRoot, ORES } from '../pki/testing/field.ts';
import { TLS_PARAMETERS } from '../pki/verify/tls-parameters.ts';
import { PROFILES } from '../pki/x509/profiles.ts';
import type { DeviceId } from '../protocol/identity.ts';

/**
 * The servers of bench/est.ts, in a process of their own: EST with a register on the disk, and beside it the floor, the
 * same TLS in front of nothing but the verification of a request and a signature. Tells its CPU time when asked.
 */

const [devices] = process.argv.slice(2) as [string];
const since = { notBeforeMs: Date.now() - DAY_MS };
const root = makeRoot(since);
const issuing = makeIssuing(root, ORES, since);
const folder = mkdtempSync(join(tmpdir(), 'hes-bench-est-'));
const register = openRegister({ path: join(folder, 'ca.db'), owner: ORES });
const authority = createAuthority({ register, tenant: ORES, issuer: issuing, clock: { nowMs: Date.now } });
const server = makeLeaf(root, {
  ...since,
  profile: PROFILES.frontServer,
  names: { dns: ['localhost'], addresses: [Buffer.of(127, 0, 0, 1)] },
});
const tls = { cert: server.pem, key: server.keyPem };
const codes = register.transaction(() =>
  Array.from({ length: Number(devices) }, (_, at) => {
    const device = at.toString(16).padStart(16, '0') as DeviceId;
    register.devices.add({ device, home: ORES, guests: [] }, 'bench');
    return register.devices.newCode(device, Date.now() + DAY_MS, 'bench');
  }),
);
const est = await startEst({
  authority,
  cacerts: [root.certificate.der, issuing.certificate.der],
  manufacturers: [],
  clock: { nowMs: Date.now },
  listen: { host: '127.0.0.1', port: 0 },
  tls,
  perMinute: 1_000_000_000,
  count: () => undefined,
  onFault: (error) => {
    throw error;
  },
});

const key = createPublicKey(server.pem);
const text = Buffer.alloc(700, 0x61);
const signature = sign('sha256', text, server.keyPem);
const answer = Buffer.alloc(900, 0x61).toString('latin1');
/** What nobody can do without: the handshake, the proof that the client has its key, a signature, an answer. */
const floor = createServer(
  {
    ...TLS_PARAMETERS,
    ...tls,
    minVersion: 'TLSv1.3',
    ca: [issuing.certificatePem],
    requestCert: true,
    rejectUnauthorized: false,
  },
  (request, response) => {
    request.on('end', () => {
      if (!verify('sha256', text, key, signature)) throw new Error('a signature of ours does not hold');
      sign('sha256', text, issuing.privateKey);
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': answer.length });
      response.end(answer);
    });
    request.resume();
  },
);
await new Promise<void>((resolve) => floor.listen(0, '127.0.0.1', resolve));

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpuMicroseconds: user + system });
});
process.on('disconnect', () => {
  register.close();
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
});
process.send?.({
  codes,
  root: root.certificatePem,
  est: est.port,
  floor: (floor.address() as AddressInfo).port,
});
