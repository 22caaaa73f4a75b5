import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import { createProductionPki } from '../../pki/ca/ceremony.ts';
import { openPki } from '../../pki/ca/open.ts';
import { createDevelopmentPki, issueDevice } from '../../pki/development/development.ts';
import { readCertsOnly } from '../../pki/est/cms.ts';
import { pkiLayout } from '../../pki/files/layout.ts';
import { encryptKey } from '../../pki/keys/encrypted-key.ts';
import {
  finishRollover,
  OVERLAP_DAYS_MIN,
  type RolloverContext,
  startRollover,
  switchRollover,
} from '../../pki/rollover/rollover.ts';
import { applyNotice, loadSealingKey } from '../../pki/trust.ts';
import { parseCertificate } from '../../pki/x509/certificate.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { until } from '../support/processes.ts';

/** What of a roll-over is not of development: passphrases, dates, and a CA that is a process of its own. */

const HES = new URL('../../gateway/cli/hes.ts', import.meta.url);
const ORES = 'ores' as TenantId;
const WITHIN_MS = 120_000;
const DAY_MS = 86_400_000;
const START_MS = Date.now();
const home = mkdtempSync(join(tmpdir(), 'hes-rollover-ca-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const code = (name: string) => expect.objectContaining({ code: name });

describe('hes ca', () => {
  it(
    'publishes the notice, and makes the steps of a roll-over at their dates by itself',
    async () => {
      const directory = join(home, 'ca');
      const pki = createDevelopmentPki({ directory, tenants: [ORES], nowMs: Date.now() });
      const { layout } = pki;
      const device = issueDevice(pki, { home: ORES, nowMs: Date.now() });
      const [port] = await freePorts(1);
      const supervisor = new Supervisor({ onLine: () => undefined });
      try {
        await supervisor.start({
          name: 'ca',
          module: HES,
          args: ['ca', '--config', '-'],
          readyWithinMs: WITHIN_MS,
          nodeFlags: [
            '--permission',
            '--allow-fs-read=*',
            '--allow-net',
            `--allow-fs-write=${directory}`,
            '--disable-warning=ExperimentalWarning',
          ],
          config: {
            mode: 'development',
            tenant: ORES,
            pki: { directory },
            listen: { port },
            tls: layout.front,
            publishCrlSeconds: 1,
          },
        });
        const told = (): string =>
          applyNotice(device, readFileSync(layout.notice(ORES)), {
            tenant: ORES,
            atMs: Date.now(),
            development: true,
          }).owners[ORES]!.kid;
        await until('there is a notice', () => existsSync(layout.notice(ORES)), WITHIN_MS);
        const context: RolloverContext = {
          open: () => openPki({ directory, nowMs: Date.now() }),
          tenant: ORES,
          clock: { nowMs: Date.now },
          by: 'test',
        };
        const { kid } = startRollover(context, {
          kind: 'field',
          keep: (pem) => pem,
          leadMs: 2_000,
          overlapMs: 0,
        });
        await until('the old keys are destroyed', () => !existsSync(layout.rollover(ORES)), WITHIN_MS);
        for (const file of [layout.former(ORES).key, layout.sealing(ORES, kid!.old).key])
          expect(existsSync(file)).toBe(false);
        expect(told()).toBe(kid!.new);
        // By the CA of now: the process has opened it, at the address that it had.
        const keyId = context.open().authorities.get(ORES)!.certificate.subjectKeyId;
        await until(
          'the CA serves the new one',
          async () => (await cacerts(port!, pki.root.pem)).includes(keyId),
          WITHIN_MS,
        );
      } finally {
        await supervisor.stop();
      }
    },
    WITHIN_MS,
  );
});

/** The key identifiers of the CAs that an EST server names; none where it does not answer. */
function cacerts(port: number, ca: string): Promise<readonly (string | null)[]> {
  return new Promise((resolve) => {
    const path = '/.well-known/est/cacerts';
    const asked = get(
      { host: '127.0.0.1', servername: 'localhost', port, path, ca, agent: false },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.on('end', () => {
          const der = Buffer.from(Buffer.concat(pieces).toString('latin1'), 'base64');
          resolve(readCertsOnly(der).map((certificate) => parseCertificate(certificate).subjectKeyId));
        });
      },
    );
    asked.on('error', () => resolve([]));
  });
}

describe('a roll-over in production', () => {
  const secret = (name: string) => `${name} horse battery staple`;
  const passphrases = { root: secret('root'), ca: secret('ca'), service: secret('service') };
  const directory = join(home, 'production');
  beforeAll(() => {
    createProductionPki({
      directory,
      tenants: [ORES],
      nowMs: START_MS,
      passphrases,
      frontHosts: ['front.example.net'],
      deskHosts: () => ['desk.example.net'],
    });
  }, WITHIN_MS);
  const time = { nowMs: START_MS };
  const context: RolloverContext = {
    open: () => openPki({ directory, nowMs: time.nowMs, passphrase: passphrases.ca }),
    tenant: ORES,
    clock: { nowMs: () => time.nowMs },
    by: 'test',
  };
  const options = {
    kind: 'field' as const,
    keep: (pem: string, kind: 'ca' | 'service') => encryptKey(pem, passphrases[kind]),
    rootPassphrase: passphrases.root,
    leadMs: 0,
    overlapMs: OVERLAP_DAYS_MIN * DAY_MS,
  };

  it(
    'an overlap that is shorter than the oldest reading needs is refused',
    () => {
      expect(() => startRollover(context, { ...options, overlapMs: options.overlapMs - 1 })).toThrow(
        code('ERR_ROLLOVER_EARLY'),
      );
    },
    WITHIN_MS,
  );

  it(
    'needs the passphrase of the root, and leaves every key encrypted',
    () => {
      expect(() => startRollover(context, { ...options, rootPassphrase: passphrases.ca })).toThrow(
        code('ERR_PKI_PASSPHRASE'),
      );
      startRollover(context, options);
      const plan = switchRollover(context);
      const layout = pkiLayout(directory);
      for (const file of [
        layout.issuing(ORES).key,
        layout.former(ORES).key,
        layout.sealing(ORES, plan.kid!.new).key,
      ])
        expect(readFileSync(file, 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
      const files = { ...layout.sealing(ORES, plan.kid!.new) };
      expect(loadSealingKey(files, { tenant: ORES, passphrase: passphrases.service }).kid).toBeDefined();
      expect(() => finishRollover(context)).toThrow(code('ERR_ROLLOVER_EARLY'));
      time.nowMs += OVERLAP_DAYS_MIN * DAY_MS;
      finishRollover(context);
      expect(existsSync(layout.former(ORES).key)).toBe(false);
    },
    WITHIN_MS,
  );
});
