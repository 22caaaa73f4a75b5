import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nobodyAwake } from '../../gateway/desk/testing/fake-bus.ts';
import {
  type OfficeWorld,
  ORES,
  officeWorld,
  type RunningOffice,
} from '../../gateway/desk/testing/office-world.ts';
import { revokePerson } from '../../pki/development/development.ts';
import { readOfficeIdentity } from '../../pki/office/identity.ts';
import { hasCommand } from '../support/tools.ts';

/** What `hes pki export` writes for a browser, in a browser: Chromium over the API of a desk. */

const HES = new URL('../../gateway/cli/hes.ts', import.meta.url).pathname;
const PASSWORD = 'of the browser of a test';
const PAGE_WITHIN_MS = 90_000;
const needed = ['chromium', 'pk12util', 'certutil'].every(hasCommand);

let world: OfficeWorld;
let office: RunningOffice;
let folder: string;

interface Browser {
  readonly home: string;
  readonly environment: NodeJS.ProcessEnv;
}

/** A user who trusts the office root, and has nothing else: a home with a database of certificates, and a profile. */
function newcomer(name: string): Browser {
  const home = join(folder, name);
  const database = join(home, '.pki/nssdb');
  const profile = join(home, 'profile/Default');
  mkdirSync(database, { recursive: true });
  mkdirSync(profile, { recursive: true });
  const environment = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home };
  const nss = ['-d', `sql:${database}`];
  const root = world.office.root.certificate;
  execFileSync('certutil', ['-N', ...nss, '--empty-password'], { env: environment });
  execFileSync('certutil', ['-A', ...nss, '-n', 'office root', '-t', 'C,,', '-i', root], {
    env: environment,
  });
  // What the policy AutoSelectCertificateForUrls sets for a whole machine, in this profile alone: nobody is there to click.
  const asked = { [`https://localhost:${office.port},*`]: { setting: { filters: [{}] } } };
  const preferences = {
    profile: { content_settings: { exceptions: { auto_select_certificate: asked } } },
  };
  writeFileSync(join(profile, 'Preferences'), JSON.stringify(preferences));
  return { home, environment };
}

function importKey({ home, environment }: Browser, file: string): void {
  const password = join(folder, 'password');
  execFileSync('pk12util', ['-i', file, '-d', `sql:${join(home, '.pki/nssdb')}`, '-w', password], {
    env: environment,
  });
}

/** The page as the browser has it in the end. */
function pageOf({ home, environment }: Browser, path: string): Promise<string> {
  const words = [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-background-networking',
    `--user-data-dir=${join(home, 'profile')}`,
    '--dump-dom',
    `https://localhost:${office.port}${path}`,
  ];
  return new Promise((resolve, reject) => {
    const browser = spawn('chromium', words, {
      env: environment,
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: PAGE_WITHIN_MS,
      killSignal: 'SIGKILL',
    });
    let text = '';
    browser.stdout.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    browser.once('error', reject);
    browser.once('close', () => resolve(text));
  });
}

beforeAll(async () => {
  if (!needed) return;
  world = officeWorld();
  office = await world.startOffice({ reloadSeconds: 86_400 }, nobodyAwake);
  folder = mkdtempSync(join(tmpdir(), 'hes-browser-'));
  writeFileSync(join(folder, 'password'), `${PASSWORD}\n`, { mode: 0o600 });
}, 120_000);
afterAll(async () => {
  if (!needed) return;
  await office.stop();
  world.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}, 60_000);

describe.skipIf(!needed)('a browser with an exported credential', () => {
  it('reaches the API by it, not without it, and no more once it is revoked (needs chromium)', async () => {
    const files = world.office.person(ORES, 'supervisor');
    const exported = join(folder, 'supervisor.p12');
    const words = ['pki', 'export', files.identity, '--for', 'browser', '--out', exported];
    const secrets = ['--passphrase-file', files.passphrase];
    const fresh = ['--new-passphrase-file', join(folder, 'password')];
    execFileSync(process.execPath, [HES, ...words, ...secrets, ...fresh]);

    const stranger = newcomer('stranger');
    const refused = await pageOf(stranger, '/v1/me');
    expect(refused).not.toContain('"supervisor"');
    await expect.poll(() => office.counters.get('api.handshakes.failed')).toBeGreaterThan(0);
    expect(office.counters.get('api.requests')).toBe(0);

    const colleague = newcomer('colleague');
    importKey(colleague, exported);
    const page = await pageOf(colleague, '/v1/me');
    expect(page).toContain('{"tenant":"ores","role":"supervisor","person":"supervisor"}');

    revokePerson(world.pki, readOfficeIdentity(files.identity), { nowMs: Date.now() });
    await office.reload();
    const gone = await pageOf(colleague, '/v1/me');
    expect(gone).toContain('ERR_TRUST_REVOKED');
    expect(gone).not.toContain('"supervisor"');
  }, 300_000);
});
