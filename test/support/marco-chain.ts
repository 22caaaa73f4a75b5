import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectLocalBus } from '../../gateway/bus/local/peer.ts';
import type { TenantBus } from '../../gateway/bus/port.ts';
import { deskConfig } from '../../gateway/desk/service/config.ts';
import type { MeterLine } from '../../gateway/desk/service/registry-file.ts';
import { type RunningDesk, startDesk } from '../../gateway/desk/service/start.ts';
import { dayAfter, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import { EdgeDevice } from '../../gateway/edge/device.ts';
import type { MeterEvent } from '../../gateway/edge/operations/events.ts';
import { isProtected, type ProtectedPeriod } from '../../gateway/edge/operations/installation.ts';
import type { Notice } from '../../gateway/edge/operations/step.ts';
import { type ManualClock, manualClock } from '../../gateway/runtime/clock.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { CommandedMeter } from '../../meter-emulator/operations/commanded-meter.ts';
import {
  type OpenedOfficeIdentity,
  openOfficeIdentity,
  readOfficeIdentity,
  readPassphrase,
} from '../../pki/office/identity.ts';
import type { Role } from '../../protocol/command/roles.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { Field } from './field.ts';
import { type HeadEnd, startHeadEnd } from './head-end.ts';
import { type Account, openAccount } from './marco-accounts.ts';
import { type ApiFace, apiFace } from './marco-api.ts';
import { approveAll, Hand } from './marco-desk.ts';
import type { Home } from './marco-household.ts';
import { PrepaymentPlatform } from './marco-platform.ts';
import { STORY_DAYS, STORY_PROTECTED_FROM_DAY } from './marco-story.ts';
import { until } from './processes.ts';

/**
 * The real chain in one process: a desk with its API, front, router, buses and simulated MDM as `hes up` configures
 * them, and emulated meters with the edge inside. Commands, operations and accounts live by one clock that is moved;
 * TLS and its certificates by the real one.
 */

const TENANT = 'ores' as TenantId;
const EANS = ['541448820000000017', '541448820000000024'] as const;

export interface ChainMeter extends Home {
  readonly meter: CommandedMeter;
  readonly edge: EdgeDevice;
  /** Connects, takes what waits, says what became of it. */
  wake(): Promise<void>;
  end(): Promise<void>;
}

export type MarcoChain = Awaited<ReturnType<typeof marcoChain>>;

/** @param first the day on which the story begins: not in the past, which certificates know nothing of */
export async function marcoChain(
  first: LocalDay,
  media: readonly Account['medium'][],
  /** What stands between the desk and its bus: a carrier that is late, or loses what it was given. */
  tamper: (bus: TenantBus) => TenantBus = (bus) => bus,
) {
  const field = new Field([TENANT]);
  const clock = manualClock((first.start + 8 * 3_600) * 1_000);
  const stops: (() => Promise<unknown> | unknown)[] = [() => field.remove()];
  const end = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const headEnd = await startHeadEnd(field);
    stops.push(() => headEnd.stop());
    const winter: ProtectedPeriod = {
      from: dayAfter(first, STORY_PROTECTED_FROM_DAY).name.slice(5),
      through: dayAfter(first, STORY_DAYS + 1).name.slice(5),
    };
    const households: { readonly account: Account; readonly home: ChainMeter }[] = [];
    const lines: MeterLine[] = [];
    for (const [at, medium] of media.entries()) {
      const { home, line } = await chainMeter({ field, headEnd, clock, medium, ean: EANS[at]!, winter });
      stops.push(() => home.end());
      lines.push(line);
      households.push({ home, account: openAccount({ device: home.device, ean: EANS[at]!, medium }) });
    }
    const desk = await chainDesk({ field, headEnd, clock, lines, winter, tamper });
    stops.push(() => desk.stop());

    const url = `https://127.0.0.1:${desk.port}`;
    const people = new Map<Role, OpenedOfficeIdentity>();
    const person = (role: Role): OpenedOfficeIdentity => {
      const files = field.pki.layout.office.person(TENANT, role);
      const known =
        people.get(role) ??
        openOfficeIdentity(readOfficeIdentity(files.identity), readPassphrase(files.passphrase));
      people.set(role, known);
      return known;
    };
    const face = (role: Role): ApiFace => {
      const opened = apiFace(url, person(role));
      stops.push(() => opened.close());
      return opened;
    };
    const hand = (role: Role): Hand => new Hand(TENANT, person(role).signer, clock);

    const refused: string[] = [];
    const platform = new PrepaymentPlatform({
      accounts: households.map(({ account }) => account),
      desk: face('marco'),
      hand: hand('marco'),
      clock,
      isProtected: (epochSeconds) => isProtected({ protectedPeriods: [winter] }, epochSeconds),
      onRefused: (what) => refused.push(what),
    });
    const approver = { face: face('approver'), hand: hand('approver') };
    const wakeAll = async (): Promise<void> => {
      await until('the desk has heard who is away', () => desk.counters.get('dispatch.inFlight') === 0);
      for (const { home } of households) await home.wake();
    };
    return {
      clock,
      desk,
      headEnd,
      households,
      platform,
      refused,
      face,
      hand,
      wakeAll,
      deskHears: true,
      breakerAtDesk: async (device: Account['device']) => (await desk.store.meter(device))?.breaker,
      async round(): Promise<void> {
        await wakeAll();
        await platform.follow();
        await approveAll(approver.face, approver.hand, await platform.order());
        await wakeAll();
        await platform.follow();
      },
      async activate(): Promise<void> {
        await approveAll(approver.face, approver.hand, await platform.activate());
        await wakeAll();
      },
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function chainMeter(about: {
  readonly field: Field;
  readonly headEnd: HeadEnd;
  readonly clock: ManualClock;
  readonly medium: Account['medium'];
  readonly ean: string;
  readonly winter: ProtectedPeriod;
}): Promise<{ readonly home: ChainMeter; readonly line: MeterLine }> {
  const { field, headEnd, clock, medium, ean, winter } = about;
  const identity = field.device(TENANT);
  const { device } = identity;
  const directory = field.save(identity);
  const installation = {
    device,
    home: TENANT,
    meters: [{ channel: 0, owner: TENANT, medium, switchable: true }],
    protectedPeriods: [winter],
  } as const;
  const meter = new CommandedMeter({ directory, installation, clock });
  const notices: Notice[] = [];
  const edge = await EdgeDevice.start({
    directory,
    identity,
    owners: () => TENANT,
    headEnd: { host: '127.0.0.1', port: headEnd.port },
    clock,
    development: true,
    commands: { installation, hardware: meter.hardware, onNotice: (notice) => notices.push(notice) },
  });
  meter.attach(edge.operations!);
  const home: ChainMeter = {
    device,
    meter,
    edge,
    view: () => meter.view(),
    happen: (event: MeterEvent) => meter.operations.happen(event, clock.nowMs()),
    noticed: () => notices.splice(0),
    async wake() {
      await meter.operations.tick(clock.nowMs());
      const { failure } = await edge.wake();
      if (failure !== null) throw new Error(`a wake failed: ${failure.message}`);
      // What is proposed next is not to be written to a session that is just ending.
      await until('the front has seen the meter go', () => headEnd.counters.get('sessions') === 0);
    },
    end: () => edge.close(),
  };
  const line: MeterLine = {
    device,
    home: TENANT,
    medium,
    channels: [{ channel: 0, medium, owner: TENANT, ean }],
    certificate: identity.agree.certificate,
  };
  return { home, line };
}

async function chainDesk(about: {
  readonly field: Field;
  readonly headEnd: HeadEnd;
  readonly clock: ManualClock;
  readonly lines: readonly MeterLine[];
  readonly winter: ProtectedPeriod;
  readonly tamper: (bus: TenantBus) => TenantBus;
}): Promise<RunningDesk & { readonly counters: Counters }> {
  const { field, headEnd, clock, lines, winter, tamper } = about;
  const { layout } = field.pki;
  const { office } = layout;
  const registry = join(field.directory, 'registry.jsonl');
  writeFileSync(registry, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const config = parseConfig(deskConfig, {
    mode: 'development',
    tenant: TENANT,
    database: join(field.directory, 'desk', 'ores.sqlite'),
    listen: { port: 0 },
    tls: office.desk(TENANT),
    office: { root: office.root.certificate, issuing: [office.issuing(TENANT).certificate] },
    field: {
      root: layout.root.certificate,
      issuers: [{ tenant: TENANT, certificate: layout.issuing(TENANT).certificate }],
    },
    registry,
    policy: { protectedPeriods: [{ yearly: { from: winter.from, to: winter.through } }] },
  });
  const bus = connectLocalBus({ directory: headEnd.busDirectory, tenant: TENANT, log: silentLog });
  const counters = new Counters();
  const desk = await startDesk({ config, bus: tamper(bus), log: silentLog, counters, clock });
  return {
    ...desk,
    counters,
    async stop() {
      await desk.stop();
      await bus.close();
    },
  };
}
