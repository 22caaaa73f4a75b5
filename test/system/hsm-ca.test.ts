import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import { type OpenedPki, openPki, tenantAuthorities } from '../../pki/ca/open.ts';
import { writeCertificateRequest } from '../../pki/enrolment/request-write.ts';
import { readCertsOnly } from '../../pki/est/cms.ts';
import { PIN, SOFTHSM, type SoftTokens, softTokens } from '../../pki/hsm/testing/soft-token.ts';
import { closeTokens } from '../../pki/hsm/token.ts';
import { makeKeyIn } from '../../pki/keys/key-maker.ts';
import { loadAuthorityKey, openSealingKey } from '../../pki/keys/key-places.ts';
import { loadServerKey } from '../../pki/keys/keys.ts';
import { destroyKeyFile } from '../../pki/rollover/destroy.ts';
import { newKeyPair } from '../../pki/x509/certify.ts';
import { derOf, toPem } from '../../pki/x509/pem.ts';
import { PROFILES } from '../../pki/x509/profiles.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { hasCommand } from '../support/tools.ts';

/**
 * A production PKI whose CA keys and sealing key were made in tokens by the commands of docs/operations.md, and what it
 * issues, held against the openssl command.
 */

const ROOT = resolve(import.meta.dirname, '../..');
const HES = new URL('../../gateway/cli/hes.ts', import.meta.url);
const ORES = 'ores' as TenantId;
const DEVICE = '00000000000000aa' as DeviceId;
const STARTED_WITHIN_MS = 60_000;
const DAY_MS = 86_400_000;
const here = SOFTHSM !== undefined && hasCommand('openssl');

describe.skipIf(!here)('a PKI in tokens (needs softhsm2, openssl)', () => {
  let soft: SoftTokens;
  let folder: string;
  let directory: string;
  let secret: string;
  let pki: OpenedPki;

  const hes = (...args: readonly string[]): string =>
    execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', HES.pathname, ...args], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  /** The worked example of docs/operations.md, with the paths of this test. */
  const documented = (): [making: string, hesInit: string] => {
    const [, section = ''] = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8').split(
      '\n## Keys in a token\n',
    );
    const block = /```sh\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
    const here = block
      .replaceAll('/etc/hes/token-pin', soft.pinFile)
      .replaceAll('/srv/ca', '.hes')
      .replaceAll('ca.pass', secret)
      .replaceAll('front.example.net', 'localhost')
      .replaceAll('/usr/lib/softhsm/libsofthsm2.so', SOFTHSM!)
      .replaceAll('SO-PIN', 'security-officer-1')
      .replaceAll('--pin PIN', `--pin ${PIN}`);
    const at = here.indexOf('hes pki init');
    return [here.slice(0, at), here.slice(at).trim()];
  };
  const shell = (script: string): string => {
    const hesHere = `hes() { '${process.execPath}' --disable-warning=ExperimentalWarning '${HES.pathname}' "$@"; }`;
    return execFileSync('sh', ['-ec', `${hesHere}\n${script}`], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  };
  const openssl = (...args: readonly string[]): string =>
    execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  const put = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const failing = (work: () => unknown): unknown => {
    try {
      work();
    } catch (error) {
      return error;
    }
    throw new Error('it should have failed');
  };

  beforeAll(() => {
    soft = softTokens();
    folder = mkdtempSync(join(tmpdir(), 'hes-hsm-ca-'));
    directory = join(folder, '.hes', 'pki');
    secret = put('passphrase', 'of roots and services 1\n');
    const [making, hesInit] = documented();
    shell(making);
    expect(shell(`${hesInit} --dry-run`)).toContain('in the token hes-ores');
    expect(shell(hesInit)).toContain('in the token hes-head-end');
    pki = openPki({ directory, nowMs: Date.now() });
  });
  afterAll(async () => {
    await closeTokens();
    rmSync(folder, { recursive: true, force: true });
    soft.remove();
  });

  const sealing = () => pki.layout.sealing(ORES, pki.owners.get(ORES)!.kid);

  it('has files that refer to its keys, and no key in them', () => {
    const { headEnd, issuing, office } = pki.layout;
    for (const { key } of [headEnd, issuing(ORES), office.issuing(ORES), sealing()])
      expect(readFileSync(key, 'utf8')).toMatch(
        /^pkcs11:token=hes-[^\n]*;type=private\?module-path=[^\n]*\n$/,
      );
    expect(readFileSync(pki.layout.root.key, 'utf8')).toContain('ENCRYPTED PRIVATE KEY');
  });

  it('issues and revokes as the openssl command wants it, without a passphrase', () => {
    const identity = join(folder, 'anna.json');
    const made = ['--tenant', ORES, '--new-passphrase-file', secret, '--out', identity];
    hes('pki', 'issue', 'person', '--role', 'operator', '--name', 'anna', ...made);
    const { sign } = JSON.parse(readFileSync(identity, 'utf8')) as { sign: { certificate: string } };
    const leaf = put('anna.crt', sign.certificate);
    hes('pki', 'crl', '--tenant', ORES);
    const { office } = pki.layout;
    const chain = ['-CAfile', office.root.certificate, '-untrusted', office.issuing(ORES).certificate];
    const withList = ['-crl_check', '-CRLfile', office.crl(ORES)];
    expect(openssl('verify', ...chain, ...withList, leaf)).toContain('anna.crt: OK');
    const list = ['crl', '-in', office.crl(ORES), '-noout', '-CAfile', office.issuing(ORES).certificate];
    expect(openssl(...list, '-verify')).toBe('');
    const serial = openssl('x509', '-in', leaf, '-noout', '-serial').trim().replace('serial=', '');
    hes('pki', 'revoke', serial.toLowerCase(), '--tenant', ORES, '--reason', 'keyCompromise');
    expect(failing(() => openssl('verify', ...chain, ...withList, leaf))).toMatchObject({
      stderr: expect.stringContaining('certificate revoked'),
    });
  });

  it('enrols a device over EST, as a process that may not but load the module', async () => {
    const { register } = tenantAuthorities(pki, ORES, { nowMs: Date.now });
    register.devices.add({ device: DEVICE, home: ORES, guests: [] }, 'test');
    const code = register.devices.newCode(DEVICE, Date.now() + DAY_MS, 'test');
    register.close();
    const [port] = (await freePorts(1)) as [number];
    const supervisor = new Supervisor({ onLine: () => undefined, restart: { baseMs: 50, maxMs: 100 } });
    try {
      await supervisor.start({
        name: 'ca',
        module: HES,
        args: ['ca', '--config', '-'],
        readyWithinMs: STARTED_WITHIN_MS,
        env: { SOFTHSM2_CONF: soft.conf },
        nodeFlags: [
          '--permission',
          '--allow-fs-read=*',
          '--allow-net',
          '--allow-ffi',
          '--allow-worker',
          `--allow-fs-write=${directory}`,
        ],
        config: {
          tenant: ORES,
          pki: { directory },
          listen: { port },
          tls: { ...pki.layout.front, passphraseFile: secret },
        },
      });
      const pair = newKeyPair();
      const asked = await writeCertificateRequest(pair, {
        profile: PROFILES.deviceTls,
        commonName: DEVICE,
        uris: [],
      });
      const body = Buffer.from(derOf('CERTIFICATE REQUEST', asked)).toString('base64');
      const answer = await post(port, pki.root.pem, `installer:${code}`, body);
      expect(answer.status).toBe(200);
      const leaf = put(
        'device.crt',
        toPem('CERTIFICATE', readCertsOnly(Buffer.from(answer.text, 'base64'))[0]!),
      );
      const chain = [
        '-CAfile',
        pki.layout.root.certificate,
        '-untrusted',
        pki.layout.issuing(ORES).certificate,
      ];
      expect(openssl('verify', ...chain, leaf)).toContain('device.crt: OK');
    } finally {
      await supervisor.stop();
    }
  });

  it('refuses a reference to another key than that of the certificate, and each wrong way to name one', async () => {
    const right = readFileSync(sealing().key, 'utf8');
    const { certificate } = sealing();
    const refusal = async (name: string, text: string) => {
      const key = put(name, text);
      return openSealingKey({ certificate, key }, { tenant: ORES }).then(
        () => 'opened',
        (error: { code: string }) => error.code,
      );
    };
    expect(await refusal('right.key', right)).toBe('opened');
    const other = makeKeyIn(soft.place('hes-ores'))('agree', 'another').keyPem;
    expect(await refusal('other.key', other)).toBe('ERR_TRUST_KEY');
    expect(await refusal('absent.key', right.replace(/object=[^;]*/, 'object=nobody'))).toBe('ERR_HSM_KEY');
    expect(await refusal('token.key', right.replace('token=hes-ores', 'token=hes-resa'))).toBe(
      'ERR_HSM_TOKEN',
    );
    expect(await refusal('module.key', right.replace(SOFTHSM!, '/usr/lib/none.so'))).toBe('ERR_HSM_MODULE');
    expect(await refusal('pin.key', right.replace(/pin-source=.*/, ''))).toBe('ERR_HSM_REFERENCE');
    expect(await refusal('use.key', readFileSync(pki.layout.issuing(ORES).key, 'utf8'))).toBe('ERR_HSM_KEY');
    const swapped = {
      certificate: pki.layout.issuing(ORES).certificate,
      key: pki.layout.office.issuing(ORES).key,
    };
    expect(failing(() => loadAuthorityKey(swapped))).toMatchObject({ code: 'ERR_TRUST_KEY' });
    expect(failing(() => loadServerKey({ certificate, key: sealing().key }))).toMatchObject({
      code: 'ERR_TRUST_KEY',
      message: expect.stringContaining('refers to a token'),
    });
  });

  it('makes the next sealing key in the same token, and destroys the old one there', async () => {
    const old = sealing();
    const reference = { certificate: old.certificate, key: put('old.key', readFileSync(old.key, 'utf8')) };
    const secrets = ['--passphrase-file', secret, '--service-passphrase-file', secret];
    hes('pki', 'rollover', 'start', 'sealing', '--tenant', ORES, ...secrets);
    const names = readdirSync(pki.layout.sealingDirectory(ORES)).filter((name) => name.endsWith('.crt'));
    const kids = names.map((name) => name.slice(0, -4));
    expect(kids).toHaveLength(2);
    for (const kid of kids) {
      const opened = await openSealingKey(pki.layout.sealing(ORES, kid), { tenant: ORES });
      expect(Buffer.from(opened.kid).toString('hex')).toBe(kid);
      expect('agree' in opened).toBe(true);
    }
    destroyKeyFile(old.key);
    await closeTokens();
    await expect(openSealingKey(reference, { tenant: ORES })).rejects.toMatchObject({ code: 'ERR_HSM_KEY' });
  });
});

function post(
  port: number,
  ca: string,
  auth: string,
  body: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/pkcs10', 'content-length': body.length };
    const path = '/.well-known/est/simpleenroll';
    const options = {
      host: '127.0.0.1',
      servername: 'localhost',
      port,
      path,
      method: 'POST',
      ca,
      auth,
      headers,
    };
    const asked = httpsRequest({ ...options, agent: false }, (response) => {
      response.setEncoding('utf8');
      let text = '';
      response.on('data', (piece: string) => {
        text += piece;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
