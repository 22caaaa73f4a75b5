import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { rootFingerprint } from '../../../pki/enrolment/answer-accept.ts';
import { type EstWorld, startEstWorld } from '../../../pki/testing/est.ts';
import { FARYS, ORES } from '../../../pki/testing/field.ts';
import { newKeyPair } from '../../../pki/x509/certify.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { type EdgeEnrolFlags, edgeEnrol } from './enrol.ts';

/** What an installer types, against an EST server in this process. */

const folder = mkdtempSync(join(tmpdir(), 'hes-cli-est-'));
const DEVICE = '00000000000000e5' as DeviceId;
let world: EstWorld;
const at = (name: string) => join(folder, name);
const written = (name: string, text: string): string => {
  writeFileSync(at(name), text, { mode: 0o600 });
  return at(name);
};
beforeAll(async () => {
  world = await startEstWorld(at('pki'), [ORES, FARYS]);
});
afterEach(() => vi.restoreAllMocks());
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

async function enrol(flags: EdgeEnrolFlags): Promise<{ out: string; err: string }> {
  const texts = { out: '', err: '' };
  for (const [name, stream] of [
    ['out', process.stdout],
    ['err', process.stderr],
  ] as const)
    vi.spyOn(stream, 'write').mockImplementation((chunk) => {
      texts[name] += String(chunk);
      return true;
    });
  await edgeEnrol(flags);
  return texts;
}

const basic = (): EdgeEnrolFlags => ({
  identity: at('device/identity.json'),
  development: true,
  home: ORES,
  est: world.url,
  servername: 'localhost',
  rootFingerprint: rootFingerprint(world.pki.root.pem),
});

describe('hes edge enrol --est', () => {
  it.each<[string, () => EdgeEnrolFlags, string]>([
    ['no way to say who asks', basic, 'say who asks'],
    [
      'two of them',
      () => ({ ...basic(), codeFile: 'code', birthCertificate: 'a', birthKey: 'b' }),
      'say who asks',
    ],
    ['half of one', () => ({ ...basic(), birthKey: 'b' }), 'say who asks'],
    ['a path in the URL', () => ({ ...basic(), est: 'https://ca/est', codeFile: 'code' }), 'without a path'],
    ['an answer of the other way', () => ({ ...basic(), codeFile: 'code', answer: 'a' }), '--answer'],
    [
      'no root, whoever may answer there',
      () => {
        const { rootFingerprint: _, ...flags } = basic();
        return { ...flags, codeFile: written('code', 'X') };
      },
      'name the field root',
    ],
    [
      'a code without --est',
      () => {
        const { est: _, servername: __, ...flags } = basic();
        return { ...flags, codeFile: 'code' };
      },
      'go with --est',
    ],
    ['an empty code', () => ({ ...basic(), codeFile: written('empty', ' \n') }), 'no one-time code'],
    [
      'a birth key that is none',
      () => ({
        ...basic(),
        birthKey: written('birth.key', 'none'),
        birthCertificate: written('birth.crt', 'none'),
      }),
      'no private key',
    ],
  ])('refuses %s, and makes no key', async (_, flags, words) => {
    await expect(enrol(flags())).rejects.toThrow(words);
    expect(readdirSync(folder)).not.toContain('device');
  });

  it('refuses a birth key that others may read', async () => {
    const birthKey = written('open.key', newKeyPair().privateKeyPem);
    chmodSync(birthKey, 0o644);
    await expect(enrol({ ...basic(), birthKey, birthCertificate: birthKey })).rejects.toMatchObject({
      code: 'ERR_PKI_RIGHTS',
    });
  });

  it('says each step, and in the end who the device is', async () => {
    const code = world.expect(DEVICE, [FARYS]);
    const { out, err } = await enrol({ ...basic(), codeFile: written('good', ` ${code}\n`) });
    expect(out).toContain(`This is device ${DEVICE} of ores, farys`);
    expect(err.trimEnd().split('\n')).toEqual([
      'three keys were made',
      'the key tls is certified',
      'the key sign is certified',
      'the key agree is certified',
      'the sealing key and the office of ores are known',
      'the sealing key and the office of farys are known',
    ]);
    expect(readdirSync(at('device'))).toEqual(['identity.json']);
  });
});
