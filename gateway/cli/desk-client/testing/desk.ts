import { createPublicKey, randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { officeLayout } from '../../../../pki/files/layout.ts';
import { loadDeskServerKey } from '../../../../pki/keys/keys.ts';
import { makeOfficeIfAbsent } from '../../../../pki/office/development.ts';
import { createOfficeTrust } from '../../../../pki/office/trust.ts';
import { RESULT_CODES, type ResultCode } from '../../../../protocol/command/codes.ts';
import type { CommandId } from '../../../../protocol/command/id.ts';
import { type Outcome, signOutcome } from '../../../../protocol/command/outcome.ts';
import type { DeviceId, TenantId } from '../../../../protocol/identity.ts';
import { sampleSigner } from '../../../../protocol/testing/samples.ts';
import { ChangeFeed } from '../../../desk/api/feed.ts';
import { apiRoutes } from '../../../desk/api/routes.ts';
import { type Api, startApi } from '../../../desk/api/server.ts';
import { CAMPAIGN_ROUTES } from '../../../desk/campaigns/routes.ts';
import { createDesk, type Desk } from '../../../desk/desk.ts';
import { newMeter } from '../../../desk/registry/meter.ts';
import type { DeskStore } from '../../../desk/store/port.ts';
import { openSqliteStore } from '../../../desk/store/sqlite/store.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { Counters } from '../../../runtime/counters.ts';
import { silentLog } from '../../../runtime/log.ts';

/** A data folder as `hes up` leaves it, with an office and a desk that answers: for tests of what people type. */

export const ORES = 'ores' as TenantId;
export const FLUVIUS = 'fluvius' as TenantId;
export const METER = '00000000000000a1' as DeviceId;
/** Of METER; the desk compares, and tells nobody. */
export const EAN = '541448820000000009';

export interface DeskAtWork {
  readonly data: string;
  readonly url: string;
  readonly desk: Desk;
  readonly store: DeskStore;
  /** Who watches changes at the moment. */
  readonly watchers: number;
  /** What its meter says of a command that is on its way. */
  answer(id: string, code?: ResultCode): Promise<void>;
  close(): Promise<void>;
}

export async function startDeskAtWork(
  tenant: TenantId = ORES,
  meters: readonly DeviceId[] = [METER],
): Promise<DeskAtWork> {
  const data = mkdtempSync(join(tmpdir(), 'hes-cli-'));
  mkdirSync(join(data, 'pki'));
  const layout = officeLayout(join(data, 'pki', 'office'));
  makeOfficeIfAbsent(layout, [ORES, FLUVIUS], Date.now());
  const root = readFileSync(layout.root.certificate, 'utf8');
  const trust = createOfficeTrust({
    root,
    issuers: [{ tenant, certificate: readFileSync(layout.issuing(tenant).certificate, 'utf8') }],
    development: true,
    clock: systemClock,
  });
  const store = openSqliteStore({ path: join(data, 'desk', `${tenant}.sqlite`), tenant });
  const feed = new ChangeFeed(randomUUID());
  const device = sampleSigner().signer;
  const desk = createDesk({
    store,
    trust(certificate) {
      const { role, person, publicKey } = trust.signer(certificate);
      return { publicKey, signer: { role, person } };
    },
    deviceKeys: () => createPublicKey(device.privateKey),
    onChange: (command) => feed.publish(command),
  });
  for (const one of meters)
    await desk.register(
      {
        ...newMeter({ device: one, home: tenant, medium: 'electricity' }),
        ...(one === METER ? { eans: { 0: EAN } } : {}),
      },
      'desk',
    );
  const api = await startApiOf();
  writeFileSync(join(data, 'desks.json'), JSON.stringify({ [tenant]: urlOf(api) }));

  async function startApiOf(): Promise<Api> {
    const { cert, key } = loadDeskServerKey(layout.desk(tenant), { tenant, development: true });
    return startApi({
      context: { tenant, desk, store, clock: systemClock, feed, log: silentLog },
      routes: apiRoutes(tenant, CAMPAIGN_ROUTES),
      caller: (certificate) => trust.caller(certificate),
      counters: new Counters(),
      listen: { host: '127.0.0.1', port: 0 },
      tls: { cert, key, ca: root },
      onDenied: async () => undefined,
    });
  }

  return {
    data,
    url: urlOf(api),
    desk,
    store,
    get watchers() {
      return feed.subscribers;
    },
    async answer(id, code) {
      const { device: of } = (await store.command(id as CommandId))!;
      await desk.claim(of);
      const state = code === undefined ? 'executed' : RESULT_CODES[code].state;
      const time = Math.floor(Date.now() / 1_000);
      const outcome = { tenant, device: of, command: id, time, state, code: code ?? null } as Outcome;
      await desk.outcome({ device: of, signed: signOutcome({ outcome, signer: device }) });
    },
    async close() {
      feed.close();
      await api.stop();
      await store.close();
      rmSync(data, { recursive: true, force: true });
    },
  };
}

const urlOf = ({ port }: Api): string => `https://127.0.0.1:${port}`;
