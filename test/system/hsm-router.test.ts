import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Child, ChildSpec } from '../../gateway/runtime/child.ts';
import { enrolmentsOf } from '../../meter-emulator/input.ts';
import { provisionFleet } from '../../meter-emulator/provision.ts';
import { CLOCK_SKEW_MS, make } from '../../pki/development/making.ts';
import { SOFTHSM, type SoftTokens, softTokens } from '../../pki/hsm/testing/soft-token.ts';
import { closeTokens } from '../../pki/hsm/token.ts';
import { makeKeyIn } from '../../pki/keys/key-maker.ts';
import { sealingKid } from '../../pki/verify/sealing.ts';
import { sealingUri } from '../../pki/x509/names.ts';
import { PROFILES } from '../../pki/x509/profiles.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { daysFrom, emulatedIndexes, INNOCENT, judge } from '../support/chaos-oracle.ts';
import { Field } from '../support/field.ts';
import { type HeadEndProcesses, startProcesses, until } from '../support/processes.ts';

/**
 * A router whose only sealing key lives in a token, as a process under Node's permission model: a fleet's readings are
 * opened there, and a token that goes away in between costs none of them.
 */

const ORES = 'ores' as TenantId;
const TOKEN = 'hes-ores';
const FIRST = '2026-03-28';
const DAYS = 3;
const RUN = { seed: 11, meters: 12, tenants: [ORES] };
const RIGHTS = ['--allow-ffi', '--allow-worker'];
const ENOUGH_MS = 120_000;

describe.skipIf(SOFTHSM === undefined)('a router with its sealing key in a token (needs softhsm2)', () => {
  let soft: SoftTokens;
  let field: Field;
  let kid: string;
  let headEnd: HeadEndProcesses | undefined;
  const said: string[] = [];

  beforeAll(async () => {
    soft = softTokens();
    soft.initialize(TOKEN);
    field = new Field([ORES]);
    const { pki } = field;
    const authority = pki.authorities.get(ORES)!;
    const sealing = make(
      authority,
      {
        profile: PROFILES.sealing,
        subject: { commonName: sealingUri(ORES) },
        names: { uris: [sealingUri(ORES)] },
        notBeforeMs: Date.now() - CLOCK_SKEW_MS,
      },
      makeKeyIn(soft.place(TOKEN))('agree', 'hes ores sealing'),
    );
    kid = Buffer.from(sealingKid(sealing.spki)).toString('hex');
    const certificate = sealing.pem + authority.certificatePem;
    // The key of the token is the only one that there is.
    const folder = pki.layout.sealingDirectory(ORES);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    rmSync(pki.layout.notice(ORES), { force: true });
    const files = pki.layout.sealing(ORES, kid);
    writeFileSync(files.certificate, certificate, { mode: 0o600 });
    writeFileSync(files.key, sealing.keyPem, { mode: 0o600 });
    (pki.owners as Map<TenantId, { kid: string; certificate: string }>).set(ORES, { kid, certificate });
    await closeTokens();
  });
  afterEach(async () => {
    await headEnd?.stop();
    headEnd = undefined;
    said.length = 0;
  });
  afterAll(() => {
    field.remove();
    soft.remove();
  });

  const inToken =
    (pinFile = soft.pinFile) =>
    (spec: ChildSpec): ChildSpec => {
      if (spec.name !== `router-${ORES}`) return spec;
      const key = field.pki.layout.sealing(ORES, kid).key;
      writeFileSync(key, readFileSync(key, 'utf8').replace(/pin-source=.*/, `pin-source=file:${pinFile}`));
      const nodeFlags = [...(spec.nodeFlags ?? []), ...RIGHTS];
      return { ...spec, nodeFlags, env: { ...spec.env, SOFTHSM2_CONF: soft.conf } };
    };
  const start = (change: (spec: ChildSpec) => ChildSpec) =>
    startProcesses(field, {
      change,
      onLine: (_, line) => said.push(line),
      restart: { baseMs: 50, maxMs: 100 },
    });
  const countOf = (child: Child, name: RegExp): number =>
    Object.entries(child.counters)
      .filter(([counted]) => name.test(counted))
      .reduce((sum, [, value]) => sum + value, 0);

  it('does not start with a PIN that the token refuses, and says so', async () => {
    const wrong = join(soft.directory, 'wrong-pin');
    writeFileSync(wrong, 'never-the-right-one\n', { mode: 0o600 });
    await expect(start(inToken(wrong))).rejects.toMatchObject({ context: { reason: 'ERR_HSM_PIN' } });
    expect(said.join('\n')).not.toContain('never-the-right-one');
  });

  it('does not start without the right to load a module, and says so', async () => {
    const without = (spec: ChildSpec): ChildSpec => {
      const { nodeFlags = [], ...rest } = inToken()(spec);
      return { ...rest, nodeFlags: nodeFlags.filter((flag) => flag !== '--allow-ffi') };
    };
    await expect(start(without)).rejects.toMatchObject({ context: { reason: 'ERR_HSM_MODULE' } });
  });

  it('opens the readings of a fleet, and loses none while its token is away', async () => {
    headEnd = await start(inToken());
    const router = headEnd.router(ORES);
    const source = {
      kind: 'emulated',
      seed: RUN.seed,
      meters: RUN.meters,
      tenants: [{ id: ORES }],
      sampling: 'close',
      slice: { index: 0, of: 1 },
    } as const;
    const devices = await enrolmentsOf(source);
    await provisionFleet({ devices, data: field.directory, pki: field.pki, nowMs: Date.now() });

    // As if it were pulled: what the module keeps of it is gone until it comes back.
    const tokens = join(soft.directory, 'tokens');
    const away = join(soft.directory, 'away');
    renameSync(tokens, away);
    mkdirSync(tokens);

    const ended = Promise.withResolvers<unknown>();
    const spec = headEnd.fleetSpec({
      data: field.directory,
      source,
      run: { kind: 'once', from: FIRST, days: DAYS, deadlineMs: ENOUGH_MS },
      limits: { retryBaseMs: 100, retryMaxMs: 1_000 },
    });
    await headEnd.supervisor.start({ ...spec, onNotice: ended.resolve });
    await until(
      'readings came in vain',
      () => countOf(router, /^token\.failures\./) >= RUN.meters,
      ENOUGH_MS,
    );
    expect(headEnd.records(ORES)).toEqual([]);
    expect(countOf(router, /^(delivered|refused\.(envelope|signature|schema))$/)).toBe(0);

    rmdirSync(tokens);
    renameSync(away, tokens);
    await ended.promise;
    const expected = emulatedIndexes(RUN, daysFrom(FIRST, DAYS));
    expect(expected.size).toBeGreaterThanOrEqual(RUN.meters * DAYS);
    expect(judge(expected, new Map([[ORES, headEnd.records(ORES)]]))).toEqual(INNOCENT);
    expect(router.restarts, said.join('\n')).toBe(0);
    await until('it was counted', () => countOf(router, new RegExp(`^opened\\.${kid}$`)) >= expected.size);
    expect(said.some((line) => line.includes('the token does not answer'))).toBe(true);
    expect(said.some((line) => line.includes('answers again'))).toBe(true);
  });
});
