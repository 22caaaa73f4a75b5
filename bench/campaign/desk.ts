/**
 * A desk with its API over mutual TLS, on a disk, and a park of simulated meters in the same process: each takes the
 * command that waits for it and signs that it was executed. Sealing, bus and front are what `commands` measures.
 */
import { createPublicKey, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChangeFeed } from '../../gateway/desk/api/feed.ts';
import { apiRoutes } from '../../gateway/desk/api/routes.ts';
import { startApi } from '../../gateway/desk/api/server.ts';
import { CAMPAIGN_ROUTES } from '../../gateway/desk/campaigns/routes.ts';
import { createDesk } from '../../gateway/desk/desk.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import { systemClock } from '../../gateway/runtime/clock.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { officeLayout } from '../../pki/files/layout.ts';
import { loadDeskServerKey } from '../../pki/keys/keys.ts';
import { makeOfficeIfAbsent } from '../../pki/office/development.ts';
import { createOfficeTrust } from '../../pki/office/trust.ts';
import { signOutcome } from '../../protocol/command/outcome.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { sampleSigner } from '../../protocol/testing/samples.ts';
import { type DeskSetup, deviceOf, type FromDesk } from './protocol.ts';

const ORES = 'ores' as TenantId;
const AT_ONCE = 256;
/** Meters are asked after again when nothing waited. */
const IDLE_MS = 10;

const say = (message: FromDesk): void => {
  process.send!(message);
};

async function work({ data, meters, airplaneOf }: DeskSetup): Promise<void> {
  mkdirSync(join(data, 'pki'));
  const layout = officeLayout(join(data, 'pki', 'office'));
  makeOfficeIfAbsent(layout, [ORES], Date.now());
  const root = readFileSync(layout.root.certificate, 'utf8');
  const trust = createOfficeTrust({
    root,
    issuers: [{ tenant: ORES, certificate: readFileSync(layout.issuing(ORES).certificate, 'utf8') }],
    development: true,
    clock: systemClock,
  });
  const store = openSqliteStore({ path: join(data, 'desk.sqlite'), tenant: ORES });
  const feed = new ChangeFeed(randomUUID());
  const { signer } = sampleSigner();
  const desk = createDesk({
    store,
    trust(certificate) {
      const { role, person, publicKey } = trust.signer(certificate);
      return { publicKey, signer: { role, person } };
    },
    deviceKeys: () => createPublicKey(signer.privateKey),
    onChange: (command) => feed.publish(command),
  });
  const nowSeconds = Math.floor(Date.now() / 1_000);
  for (let at = 0; at < meters; at += AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(AT_ONCE, meters - at) }, (_, index) =>
        desk.register(
          {
            device: deviceOf(at + index) as DeviceId,
            home: ORES,
            medium: 'electricity',
            channels: [{ channel: 0, medium: 'electricity', owner: ORES }],
            certificate: null,
            state: { airplaneSince: (at + index) % airplaneOf === 0 ? nowSeconds : null },
          },
          'desk',
        ),
      ),
    );
  const { cert, key } = loadDeskServerKey(layout.desk(ORES), { tenant: ORES, development: true });
  const { port } = await startApi({
    context: { tenant: ORES, desk, store, clock: systemClock, feed, log: silentLog },
    routes: apiRoutes(ORES, CAMPAIGN_ROUTES),
    caller: (certificate) => trust.caller(certificate),
    counters: new Counters(),
    listen: { host: '127.0.0.1', port: 0 },
    tls: { cert, key, ca: root },
    onDenied: async () => undefined,
  });
  const url = `https://127.0.0.1:${port}`;
  writeFileSync(join(data, 'desks.json'), JSON.stringify({ ores: url }));
  desk.campaigns.start();
  say({ ready: { url } });

  for (;;) {
    const waiting = await store.waitingDevices({ nowMs: Date.now(), limit: AT_ONCE });
    if (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
    await Promise.all(
      waiting.map(async (device) => {
        const dispatch = await desk.claim(device);
        if (dispatch === undefined) return;
        const time = Math.floor(Date.now() / 1_000);
        const about = { tenant: ORES, device, command: dispatch.command.id, time };
        const outcome = { ...about, state: 'executed', code: null } as const;
        await desk.outcome({ device, signed: signOutcome({ outcome, signer }) });
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
  }
}

process.once('message', (setup) => {
  work(setup as DeskSetup).catch((error: unknown) => say({ failed: String(error) }));
});
process.once('disconnect', () => process.exit(0));
