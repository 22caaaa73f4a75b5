import { createECDH, createPublicKey, generateKeyPairSync, hash, randomBytes, verify } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { P256_SPKI_PREFIX } from '../x509/certificate.ts';
import { TokenConnection } from './connection.ts';
import { Gate, newGate } from './gate.ts';
import { loadModule } from './module.ts';
import { CKA_VALUE, findPrivate, OPERATIONS } from './operations.ts';
import { TokenPool } from './pool.ts';
import { type TokenPlace, TokenSession } from './session.ts';
import { SOFTHSM, type SoftTokens, softTokens } from './testing/soft-token.ts';
import { TokenThread } from './thread.ts';

const SEAL = { label: 'ores sealing', id: '0a0b0c' };
const CA = { label: 'ores CA', id: '01' };
const MINUTE_MS = 60_000;

describe.skipIf(SOFTHSM === undefined)('a token (needs softhsm2)', () => {
  let soft: SoftTokens;
  let place: TokenPlace;
  let session: TokenSession;
  let sealPoint: Uint8Array;
  let caPoint: Uint8Array;

  beforeAll(() => {
    soft = softTokens();
    for (const token of ['hes', 'passing']) soft.initialize(token);
    place = soft.place('hes');
    session = TokenSession.open(loadModule(place.module), place);
    sealPoint = OPERATIONS.make(session, { op: 'make', key: SEAL, use: 'agree' });
    caPoint = OPERATIONS.make(session, { op: 'make', key: CA, use: 'sign' });
  });
  afterAll(() => soft.remove());

  const open = (place: TokenPlace) => TokenSession.open(loadModule(place.module), place);
  const pinOf = (text: string) => {
    const pinFile = join(soft.directory, `pin-${randomBytes(4).toString('hex')}`);
    writeFileSync(pinFile, text, { mode: 0o600 });
    return pinFile;
  };
  const failing = (work: () => unknown) => {
    try {
      work();
    } catch (error) {
      return error;
    }
    throw new Error('it should have failed');
  };

  it('refuses a module that is none', () => {
    expect(failing(() => loadModule('/etc/hostname'))).toMatchObject({ code: 'ERR_HSM_MODULE' });
    expect(failing(() => loadModule('libsofthsm2.so'))).toMatchObject({ code: 'ERR_HSM_MODULE' });
  });

  it('refuses a token that is not there', () => {
    expect(failing(() => open({ ...place, token: 'elsewhere' }))).toMatchObject({ code: 'ERR_HSM_TOKEN' });
  });

  it('refuses a key that is not there, and one that is there twice', () => {
    const twice = { label: 'twice' };
    for (const _ of [1, 2]) OPERATIONS.make(session, { op: 'make', key: twice, use: 'agree' });
    for (const key of [{ label: 'none' }, twice])
      expect(failing(() => findPrivate(session, key))).toMatchObject({ code: 'ERR_HSM_KEY' });
  });

  it('refuses a key on another curve', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    soft.import(
      'hes',
      { label: 'wide', id: '0384' },
      privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    );
    const refused = { code: 'ERR_HSM_KEY', message: expect.stringContaining('P-256') };
    expect(failing(() => findPrivate(session, { label: 'wide' }))).toMatchObject(refused);
  });

  it('refuses a use that a key was not made for', () => {
    const digest = randomBytes(32);
    const refused = { code: 'ERR_HSM_KEY' };
    expect(failing(() => OPERATIONS.sign(session, { op: 'sign', key: SEAL, digest }))).toMatchObject(refused);
    const point = createECDH('prime256v1').generateKeys();
    expect(failing(() => OPERATIONS.agree(session, { op: 'agree', key: CA, point }))).toMatchObject(refused);
  });

  it('never shows a private key', () => {
    for (const key of [SEAL, CA])
      expect(failing(() => session.attribute(findPrivate(session, key), CKA_VALUE, 64))).toMatchObject({
        code: 'ERR_HSM_KEY',
        message: 'C_GetAttributeValue: CKR_ATTRIBUTE_SENSITIVE',
      });
  });

  it('agrees on what the other side comes to', () => {
    for (let turn = 0; turn < 20; turn += 1) {
      const other = createECDH('prime256v1');
      const point = other.generateKeys();
      const secret = OPERATIONS.agree(session, { op: 'agree', key: SEAL, point });
      expect(Buffer.from(secret)).toEqual(other.computeSecret(sealPoint));
    }
  });

  it('signs so that its public key verifies it', () => {
    const spki = Buffer.concat([P256_SPKI_PREFIX, caPoint]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    for (let turn = 0; turn < 20; turn += 1) {
      const text = randomBytes(100);
      const digest = hash('sha256', text, 'buffer');
      const signature = OPERATIONS.sign(session, { op: 'sign', key: CA, digest });
      expect(verify('sha256', text, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    }
  });

  it('forgets a key that is destroyed', () => {
    const key = { label: 'passing', id: '77' };
    OPERATIONS.make(session, { op: 'make', key, use: 'sign' });
    OPERATIONS.destroy(session, { op: 'destroy', key });
    const other = open(place);
    expect(failing(() => findPrivate(other, key))).toMatchObject({ code: 'ERR_HSM_KEY' });
    other.close();
  });

  describe('from threads', () => {
    it('answers whoever waits, and whoever does not', async () => {
      const thread = new TokenThread(place);
      const digest = randomBytes(32);
      expect(thread.askNow({ op: 'sign', key: CA, digest }, MINUTE_MS)).toHaveLength(64);
      expect(
        failing(() => thread.askNow({ op: 'sign', key: { label: 'none' }, digest }, MINUTE_MS)),
      ).toMatchObject({
        code: 'ERR_HSM_KEY',
      });
      await thread.end();

      const pool = new TokenPool(place);
      const others = Array.from({ length: 50 }, () => createECDH('prime256v1'));
      const secrets = await Promise.all(
        others.map((other) => pool.ask({ op: 'agree', key: SEAL, point: other.generateKeys() })),
      );
      expect(secrets.map((secret) => Buffer.from(secret))).toEqual(
        others.map((other) => other.computeSecret(sealPoint)),
      );
      await pool.close();
      await expect(pool.ask({ op: 'sign', key: CA, digest })).rejects.toMatchObject({ code: 'ERR_HSM_BUSY' });
    });

    it('refuses what may not wait, and lets nobody wait longer than its deadline', async () => {
      const limits = { threads: 1, queueMax: 3, answerWithinMs: 1 };
      const pool = new TokenPool(place, limits);
      const digest = randomBytes(32);
      // A thread takes longer to start than a millisecond: four are on their way to it, three wait.
      const asked = Array.from({ length: 9 }, () => pool.ask({ op: 'sign', key: CA, digest }));
      const ends = await Promise.allSettled(asked);
      const codes = ends.map((end) => (end.status === 'rejected' ? end.reason.code : 'answered'));
      expect(codes.slice(7)).toEqual(['ERR_HSM_BUSY', 'ERR_HSM_BUSY']);
      expect(new Set(codes.slice(0, 7))).toEqual(new Set(['ERR_HSM_TIMEOUT']));
      await pool.close();
    });
  });

  describe('that comes and goes', () => {
    let nowMs = 0;
    const gate = new Gate(newGate());
    const connect = (to: TokenPlace) => new TokenConnection({ place: to, gate, monotonicMs: () => nowMs });
    const sign = { op: 'sign', key: CA, digest: new Uint8Array(32) } as const;

    it('is not offered the same wrong PIN twice, and takes the right one', () => {
      const pinFile = pinOf('never-the-right-one\n');
      const connection = connect({ ...place, pinFile });
      // The process is logged in already: a second session would not be asked for its PIN.
      loadModule(place.module).call('C_Finalize', [0n]);
      expect(failing(() => connection.run(sign))).toMatchObject({ message: 'C_Login: CKR_PIN_INCORRECT' });
      nowMs += MINUTE_MS;
      expect(failing(() => connection.run(sign))).toMatchObject({
        code: 'ERR_HSM_PIN',
        message: 'the PIN of the token hes is the one that it refused before',
      });
      nowMs += MINUTE_MS;
      writeFileSync(pinFile, 'correct-horse-7\n', { mode: 0o600 });
      expect(connection.run(sign)).toHaveLength(64);
    });

    it('is found again after it was away, and not before its pause is over', () => {
      const there = soft.place('passing');
      const connection = connect(there);
      const make = { op: 'make', key: CA, use: 'sign' } as const;
      connection.run(make);
      expect(connection.run(sign)).toHaveLength(64);
      // Initialized anew: it is another token of the same name, without the key.
      soft.initialize('passing', { again: true });
      expect(failing(() => connection.run(sign))).toMatchObject({ code: expect.stringMatching(/^ERR_HSM_/) });
      nowMs += MINUTE_MS;
      expect(failing(() => connection.run(sign))).toMatchObject({ code: 'ERR_HSM_KEY' });
      connection.run(make);
      expect(connection.run(sign)).toHaveLength(64);
    });
  });
});
