import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { createDevelopmentPki, issueDevice, revokeDevice } from '../development/development.ts';
import { readDeviceIdentity } from '../identity.ts';
import { DAY_MS, FARYS, FLUVIUS, NOW_MS, ORES, OTHER_DEVICE } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { type EnrolmentAnswer, parseEnrolmentAnswer } from './answer.ts';
import {
  type AcceptOptions,
  acceptAnswer,
  enrolledIdentity,
  fingerprintText,
  identityOf,
  rootFingerprint,
} from './answer-accept.ts';
import { answerEnrolment } from './answer-issue.ts';
import { documentText, type EnrolmentRequest } from './request.ts';
import { checkEnrolmentRequest } from './request-check.ts';
import { beginEnrolment, pendingFile, readPending } from './request-pending.ts';
import { newEnrolmentKeys, writeEnrolmentRequest } from './request-write.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-answer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const tenants = [ORES, FLUVIUS, FARYS];
const newPki = () =>
  createDevelopmentPki({ directory: join(folder, `pki-${++count}`), tenants, nowMs: NOW_MS });
const pki = newPki();
const root = rootFingerprint(pki.root.pem);
const code = (name: string) => expect.objectContaining({ code: name });
const confirmed: AcceptOptions = { root, atMs: NOW_MS, development: true };
const wanted = { home: ORES, guests: [FARYS], root: null };

async function device(asked: Partial<typeof wanted> | { root: string } = {}) {
  const file = join(folder, `device-${++count}`, 'identity.json');
  const { pending } = await beginEnrolment(file, { ...wanted, ...asked });
  return { file, request: pending.request };
}

const answerTo = (request: EnrolmentRequest, by = pki, device?: DeviceId) =>
  answerEnrolment(by, checkEnrolmentRequest(request), {
    nowMs: NOW_MS,
    ...(device === undefined ? {} : { device }),
  });

describe('an issuing CA that is asked', () => {
  it('refuses tenants that it does not serve, and a device that was told to take another root', async () => {
    const { request } = await device({ guests: ['resa' as never] });
    expect(() => answerTo(request)).toThrow(code('ERR_PKI_TENANT'));
    const { request: elsewhere } = await device({ root: 'ab'.repeat(32) });
    expect(() => answerTo(elsewhere)).toThrow(code('ERR_ENROL_REQUEST'));
    expect(existsSync(pki.layout.register.answer(elsewhere.request))).toBe(false);
  });

  it('refuses a key that came with another request, and the same keys for other tenants', async () => {
    const keys = newEnrolmentKeys();
    const ask = (changes: object, own = keys) =>
      writeEnrolmentRequest(own, { ...wanted, ...changes }).then((request) => () => answerTo(request));
    expect((await ask({}))().again).toBe(false);
    expect(await ask({ guests: [] })).toThrow(code('ERR_ENROL_KEY'));
    expect(await ask({ home: FARYS, guests: [ORES] })).toThrow(code('ERR_ENROL_KEY'));
    const copied = { ...newEnrolmentKeys(), agree: keys.agree };
    expect(await ask({}, copied)).toThrow(code('ERR_ENROL_KEY'));
  });

  it('answers one request once: again it is the same device with the same certificates', async () => {
    const { request } = await device();
    const first = answerTo(request);
    const second = answerTo(request);
    expect([first.again, second.again]).toEqual([false, true]);
    expect(second.answer).toEqual(first.answer);
    expect(() => answerTo(request, pki, OTHER_DEVICE)).toThrow(code('ERR_ENROL_REQUEST'));
  });

  it('does not answer again once the certificates are revoked', async () => {
    const { file, request } = await device();
    const { identity } = acceptAnswer(file, documentText(answerTo(request).answer), confirmed);
    revokeDevice(pki, identity, { nowMs: NOW_MS });
    expect(() => answerTo(request)).toThrow(code('ERR_ENROL_KEY'));
  });

  it('goes on where a killed one had claimed the keys and not yet answered', async () => {
    const { request } = await device();
    const { answer } = answerTo(request);
    rmSync(pki.layout.register.answer(request.request));
    const next = answerTo(request);
    expect(next.again).toBe(false);
    expect(next.answer.device).not.toBe(answer.device);
  });

  it('takes the name that the operator chose, and draws one otherwise', async () => {
    const { request } = await device();
    expect(answerTo(request, pki, OTHER_DEVICE).answer.device).toBe(OTHER_DEVICE);
    const drawn = answerTo((await device()).request).answer.device;
    expect(drawn).toMatch(/^[0-9a-f]{16}$/);
  });

  it('answers with no private key', async () => {
    const text = documentText(answerTo((await device()).request).answer);
    expect(text).not.toContain('PRIVATE');
    expect(parseEnrolmentAnswer(text).owners).toHaveProperty('farys');
  });
});

describe('a device that is answered', () => {
  it('takes no answer to another request, for other tenants, or to keys that it does not hold', async () => {
    const { file, request } = await device();
    const { answer } = answerTo(request);
    const stranger = answerTo((await device()).request).answer;
    const home = answerTo((await device({ guests: [] })).request).answer;
    const byName = answerTo((await device()).request, pki, answer.device).answer;
    const wrong: Record<string, Partial<EnrolmentAnswer>> = {
      'of another device': stranger,
      'of another device under the name of this request': { ...stranger, request: request.request },
      'for home alone': { ...home, request: request.request },
      'with a guest more': { guests: [FARYS, FLUVIUS] },
      'without the guest': { guests: [] },
      'at another home': { home: FARYS, guests: [ORES] },
      'under another name': { device: OTHER_DEVICE },
      'with a key of another device under the same name': { sign: byName.sign },
      'without an owner': { owners: { ores: answer.owners['ores']! } },
      'with an owner too many': { owners: { ...answer.owners, fluvius: pki.owners.get(FLUVIUS)! } },
      'with a sealing key under another name': {
        owners: { ...answer.owners, ores: { ...answer.owners['ores']!, kid: '00'.repeat(8) } },
      },
      'with damaged PEM': { tls: 'x' },
      'with a damaged CA': { issuer: 'x' },
    };
    for (const [what, changes] of Object.entries(wrong))
      expect(() => acceptAnswer(file, documentText({ ...answer, ...changes }), confirmed), what).toThrow(
        code('ERR_ENROL_ANSWER'),
      );
    const forged: Record<string, Partial<EnrolmentAnswer>> = {
      ERR_TRUST_PROFILE: { tls: answer.sign },
      ERR_TRUST_AUTHORITY: { issuer: pki.authorities.get(FARYS)!.certificatePem },
      ERR_TRUST_ISSUER: { tls: issueDevice(newPki(), { ...wanted, nowMs: NOW_MS }).tls.certificate },
    };
    for (const [name, changes] of Object.entries(forged))
      expect(() => acceptAnswer(file, documentText({ ...answer, ...changes }), confirmed), name).toThrow(
        code(name),
      );
    const owners = { ...answer.owners, ores: answer.owners['farys']! };
    expect(() => acceptAnswer(file, documentText({ ...answer, owners }), confirmed)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_TRUST_/) }),
    );
    expect(existsSync(file)).toBe(false);
    expect(readPending(file)?.request).toEqual(request);
    expect(acceptAnswer(file, documentText(answer), confirmed).again).toBe(false);
  });

  it('takes a root that was pinned or confirmed, and shows the fingerprint of one that was not', async () => {
    const { file, request } = await device();
    const text = documentText(answerTo(request).answer);
    const unconfirmed = { ...confirmed, root: null };
    expect(() => acceptAnswer(file, text, unconfirmed)).toThrow(
      expect.objectContaining({
        code: 'ERR_ENROL_ROOT',
        message: expect.stringContaining(fingerprintText(root)),
      }),
    );
    expect(() => acceptAnswer(file, text, { ...confirmed, root: 'ab'.repeat(32) })).toThrow(
      code('ERR_ENROL_ROOT'),
    );
    expect(fingerprintText(root)).toBe(new X509Certificate(pki.root.pem).fingerprint256);

    const pinned = await device({ root });
    const { answer } = answerTo(pinned.request);
    const other = newPki();
    for (const changes of [{ root: other.root.pem }, { root: 'x' }])
      expect(() => acceptAnswer(pinned.file, documentText({ ...answer, ...changes }), unconfirmed)).toThrow(
        code('ERR_ENROL_ROOT'),
      );
    expect(acceptAnswer(pinned.file, documentText(answer), unconfirmed).identity.root).toBe(pki.root.pem);
  });

  it('takes certificates of a development PKI in development only, and while they are valid', async () => {
    const { file, request } = await device();
    const text = documentText(answerTo(request).answer);
    expect(() => acceptAnswer(file, text, { ...confirmed, development: false })).toThrow(
      code('ERR_TRUST_DEVELOPMENT'),
    );
    expect(() => acceptAnswer(file, text, { ...confirmed, atMs: NOW_MS - DAY_MS })).toThrow(
      code('ERR_TRUST_NOT_YET_VALID'),
    );
    expect(() => acceptAnswer(file, text, { ...confirmed, atMs: NOW_MS + 2_000 * DAY_MS })).toThrow(
      code('ERR_TRUST_EXPIRED'),
    );
  });

  it('holds its own keys afterwards, for its owner alone, and nothing pending', async () => {
    const { file, request } = await device();
    const keys = readPending(file)!.keys;
    expect(statSync(pendingFile(file)).mode & 0o777).toBe(0o600);
    const { answer } = answerTo(request);
    const { identity } = acceptAnswer(file, documentText(answer), confirmed);
    expect(readDeviceIdentity(file)).toEqual(identity);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(file, '..'))).toEqual(['identity.json']);
    for (const name of ['tls', 'sign', 'agree'] as const) {
      expect(identity[name].key).toBe(keys[name]);
      const certificate = new X509Certificate(identity[name].certificate);
      expect(certificate.checkPrivateKey(createPrivateKey(keys[name]))).toBe(true);
    }
    expect(identity).toMatchObject({ device: answer.device, home: ORES, guests: [FARYS] });
    // The same answer again changes nothing; another does not overwrite it.
    expect(acceptAnswer(file, documentText(answer), confirmed)).toEqual({ identity, again: true });
    const stranger = answerTo((await device()).request).answer;
    expect(() => acceptAnswer(file, documentText(stranger), confirmed)).toThrow(code('ERR_ENROL_EXISTS'));
    expect(enrolledIdentity(file)).toEqual(identity);
  });

  it('takes no answer where it has asked nothing', async () => {
    const { answer } = answerTo((await device()).request);
    const file = join(folder, 'nobody.json');
    expect(() => acceptAnswer(file, documentText(answer), confirmed)).toThrow(code('ERR_ENROL_PENDING'));
  });

  it('never makes a second set of keys, and says when it is asked for something else', async () => {
    const { file, request } = await device();
    expect(await beginEnrolment(file, wanted)).toMatchObject({ continued: true, pending: { request } });
    for (const changes of [{ home: FLUVIUS }, { guests: [] }, { root: 'ab'.repeat(32) }])
      await expect(beginEnrolment(file, { ...wanted, ...changes })).rejects.toThrow(
        code('ERR_ENROL_PENDING'),
      );
    const atOnce = join(folder, 'at-once', 'identity.json');
    const all = await Promise.all(Array.from({ length: 5 }, () => beginEnrolment(atOnce, wanted)));
    expect(all.filter(({ continued }) => !continued)).toHaveLength(1);
    expect(new Set(all.map(({ pending }) => pending.request.request)).size).toBe(1);
    expect(readdirSync(join(atOnce, '..'))).toEqual(['identity.json.pending']);
  });

  it('says which file of it is damaged', async () => {
    const { file, request } = await device();
    const text = documentText(answerTo(request).answer);
    const pending = readFileSync(pendingFile(file), 'utf8');
    const stranger = readPending((await device()).file)!.keys;
    const exchanged = { ...(JSON.parse(pending) as object), keys: stranger };
    for (const damaged of ['', '{}', pending.slice(0, 900), JSON.stringify(exchanged)]) {
      writeFileSync(pendingFile(file), damaged);
      expect(() => acceptAnswer(file, text, confirmed)).toThrow(code('ERR_ENROL_PENDING'));
    }
    writeFileSync(pendingFile(file), pending);
    writeFileSync(file, '{}');
    expect(() => acceptAnswer(file, text, confirmed)).toThrow(code('ERR_PKI_IDENTITY'));
  });

  it('comes from any text to the identity that was meant, or to an error of ours', async () => {
    const { file, request } = await device();
    const { answer } = answerTo(request);
    const text = documentText(answer);
    const pending = readPending(file)!;
    const certificates = (of: Record<'tls' | 'sign' | 'agree' | 'root', string>) =>
      [of.tls, of.sign, of.agree, of.root].map((pem) => new X509Certificate(pem).fingerprint256);
    const meant = certificates(answer);
    const harmless = (changed: string) => {
      try {
        const { device: name, ...made } = identityOf(parseEnrolmentAnswer(changed), pending, confirmed);
        // White space within a PEM text, say.
        const { tls, sign, agree } = made;
        const got = { tls: tls.certificate, sign: sign.certificate, agree: agree.certificate };
        return name === answer.device && certificates({ ...got, root: made.root }).join() === meant.join();
      } catch (error) {
        return isHesError(error);
      }
    };
    expect(harmless(text)).toBe(true);
    const edits = fc.array(fc.tuple(fc.nat(text.length - 1), fc.string({ maxLength: 2 })), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(edits, (changes) => {
        let changed = text;
        for (const [at, piece] of changes) changed = changed.slice(0, at) + piece + changed.slice(at + 1);
        return harmless(changed);
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it.skipIf(!openssl)('holds certificates that openssl verifies up to the root (needs openssl)', async () => {
    const { answer } = answerTo((await device()).request);
    for (const name of ['tls', 'sign', 'agree'] as const) {
      const files = { 'root.pem': answer.root, 'ca.pem': answer.issuer, 'leaf.pem': answer[name] };
      const verify = (...more: string[]) =>
        runOpenssl(
          [
            ...['verify', '-x509_strict', '-attime', String(NOW_MS / 1000), ...more],
            ...['-CAfile', 'root.pem', '-untrusted', 'ca.pem', 'leaf.pem'],
          ],
          files,
        ).ok;
      expect(verify(), name).toBe(true);
      expect(verify('-purpose', 'sslclient'), name).toBe(name === 'tls');
    }
  });
});
