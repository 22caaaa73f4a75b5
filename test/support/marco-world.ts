import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDesk } from '../../gateway/desk/desk.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import { isProtected, type ProtectedPeriod } from '../../gateway/edge/operations/installation.ts';
import { type ManualClock, manualClock } from '../../gateway/runtime/clock.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import type { Role } from '../../protocol/command/roles.ts';
import type { SignerKey } from '../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { sampleSigner } from '../../protocol/testing/samples.ts';
import { type Account, openAccount } from './marco-accounts.ts';
import { approveAll, directFace, Hand } from './marco-desk.ts';
import { HOUSEHOLD_KEY, type Household, household } from './marco-household.ts';
import { PrepaymentPlatform } from './marco-platform.ts';

/** A desk, its prepayment platform and some households in one process, by one clock that stands still. */

const TENANT = 'ores' as TenantId;
/** As the desk has it for Wallonia. */
const WINTER: readonly ProtectedPeriod[] = [{ from: '11-01', through: '03-31' }];

const PEOPLE = {
  marco: 'marco',
  lopex: 'lopex',
  ann: 'operator',
  bea: 'approver',
} as const satisfies Readonly<Record<string, Role>>;
type Name = keyof typeof PEOPLE;
const NAMES = Object.keys(PEOPLE) as readonly Name[];

function people() {
  const keys = Object.fromEntries(
    NAMES.map((name) => [
      name,
      { ...sampleSigner().signer, certificate: Buffer.from(name.padEnd(480, '.')) },
    ]),
  ) as unknown as Readonly<Record<Name, SignerKey>>;
  const trusted = (certificate: Uint8Array) => {
    const name = NAMES.find((one) => Buffer.compare(keys[one].certificate, certificate) === 0);
    if (name === undefined) throw new Error('nobody that is trusted');
    return {
      tenant: TENANT,
      person: name,
      role: PEOPLE[name],
      publicKey: createPublicKey(keys[name].privateKey),
    };
  };
  return { keys, trusted };
}

export interface MarcoHousehold {
  readonly account: Account;
  readonly home: Household;
}

export type MarcoWorld = Awaited<ReturnType<typeof marcoWorld>>;

export async function marcoWorld(about: {
  readonly startMs: number;
  readonly media: readonly Account['medium'][];
  /** The platform's calendar, where it is not that of the desk and of the meters. */
  readonly platformIsProtected?: (epochSeconds: number) => boolean;
  /** What the platform is told when it is refused. */
  readonly onRefused?: (what: string) => void;
}) {
  const { startMs, media, onRefused } = about;
  const clock: ManualClock = manualClock(startMs);
  const folder = mkdtempSync(join(tmpdir(), 'hes-marco-'));
  const { keys, trusted } = people();
  const store = openSqliteStore({ path: join(folder, 'desk.sqlite'), tenant: TENANT });
  const desk = createDesk({
    store,
    clock,
    random: seededRandom('marco'),
    trust(certificate) {
      const { publicKey, person, role } = trusted(certificate);
      return { publicKey, signer: { person, role } };
    },
    deviceKeys: () => HOUSEHOLD_KEY,
  });
  const face = directFace(desk);
  const hand = (name: Name): Hand => new Hand(TENANT, keys[name], clock);

  const households: MarcoHousehold[] = [];
  for (const [at, medium] of media.entries()) {
    const device = (at + 1).toString(16).padStart(16, '0') as DeviceId;
    const home = await household({
      device,
      tenant: TENANT,
      medium,
      clock,
      trust: trusted,
      protectedPeriods: WINTER,
    });
    await home.enter(desk);
    households.push({ home, account: openAccount({ device, ean: `54144882000000001${at}`, medium }) });
  }
  const winter = (epochSeconds: number): boolean => isProtected({ protectedPeriods: WINTER }, epochSeconds);
  const platform = new PrepaymentPlatform({
    accounts: households.map(({ account }) => account),
    desk: face,
    hand: hand('marco'),
    clock,
    isProtected: about.platformIsProtected ?? winter,
    ...(onRefused === undefined ? {} : { onRefused }),
  });
  const approver = hand('bea');

  const wakeAll = async (): Promise<void> => {
    for (const { home } of households) await home.wake(desk);
  };

  return {
    clock,
    desk,
    store,
    face,
    hand,
    platform,
    households,
    wakeAll,
    deskHears: false,
    breakerAtDesk: async (device: DeviceId) => (await store.meter(device))?.breaker,
    /** All meters awake, all that is asked for done: balances, then orders by what they came to, signed by a person. */
    async round(): Promise<void> {
      await wakeAll();
      await platform.follow();
      await approveAll(face, approver, await platform.order());
      await wakeAll();
      await platform.follow();
    },
    async activate(): Promise<void> {
      await approveAll(face, approver, await platform.activate());
      await wakeAll();
    },
    async end(): Promise<void> {
      for (const { home } of households) await home.end();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
