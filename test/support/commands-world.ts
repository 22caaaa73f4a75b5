import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import { dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { Child, ChildSpec } from '../../gateway/runtime/child.ts';
import { systemClock } from '../../gateway/runtime/clock.ts';
import { planFleet } from '../../meter-emulator/fleet.ts';
import { provisionFleet } from '../../meter-emulator/provision.ts';
import { deviceIdentityFile } from '../../pki/files/layout.ts';
import { readDeviceIdentity } from '../../pki/identity.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from '../../pki/office/identity.ts';
import type { Role } from '../../protocol/command/roles.ts';
import { COMMAND_TYPES, type CommandType } from '../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import { type Draft, isCritical, type Order } from './commands-orders.ts';
import type { Field } from './field.ts';
import { type ApiFace, ApiRefusal, apiFace } from './marco-api.ts';
import { Hand } from './marco-desk.ts';
import { type HeadEndProcesses, startProcesses, until } from './processes.ts';

/**
 * Commands through real processes: front, router, MDM and desk of one operator, and the meters as processes of an
 * emulated fleet that stays connected. People sign here and speak to the desk by its API.
 */

/** What a process of the fleet takes to start on a machine that others use as well. */
const STARTED_WITHIN_MS = 120_000;
/** A desk that was killed is back within seconds; one that is not back by then is not coming. */
const ANSWERED_WITHIN_MS = 120_000;
const AGAIN_MS = 100;

/** A command that was written to a socket that broke is unknown after this, and the next of its device goes. */
const ANSWER_WITHIN_SECONDS = 15;

/** A day lasts a minute, so that readings are on their way beside the commands. */
const CLOCK_SPEED = 1_440;
const FIRST_DAY = '2026-05-01';

export interface CommandsWorldOptions {
  readonly seed: number;
  readonly meters: number;
  /** Processes that share the meters. */
  readonly slices: number;
  /** How long the desk waits for a result. */
  readonly answerWithinSeconds?: number;
  /** For the processes of the fleet. */
  readonly fault?: 'doubling';
}

export class CommandsWorld {
  readonly headEnd: HeadEndProcesses;
  readonly devices: readonly DeviceId[];
  readonly desk: Child;
  readonly edges: readonly Child[];
  readonly database: string;
  readonly #field: Field;
  readonly #tenant: TenantId;
  readonly #counted: string;
  readonly #operator: { readonly face: ApiFace; readonly hand: Hand };
  readonly #approver: { readonly face: ApiFace; readonly hand: Hand };

  private constructor(parts: {
    readonly field: Field;
    readonly headEnd: HeadEndProcesses;
    readonly devices: readonly DeviceId[];
    readonly desk: Child;
    readonly edges: readonly Child[];
    readonly database: string;
    readonly counted: string;
    readonly port: number;
  }) {
    this.headEnd = parts.headEnd;
    this.devices = parts.devices;
    this.desk = parts.desk;
    this.edges = parts.edges;
    this.database = parts.database;
    this.#field = parts.field;
    this.#tenant = parts.field.tenants[0]!;
    this.#counted = parts.counted;
    this.#operator = this.#person('operator', parts.port);
    this.#approver = this.#person('approver', parts.port);
  }

  /** The first tenant of the field has the desk and the meters. */
  static async start(field: Field, options: CommandsWorldOptions): Promise<CommandsWorld> {
    const { seed, meters, slices, fault, answerWithinSeconds = ANSWER_WITHIN_SECONDS } = options;
    const tenant = field.tenants[0]!;
    const startedAtMs = Date.now();
    const headEnd = await startProcesses(field, {
      clock: {
        kind: 'simulated',
        originMs: dayNamed(FIRST_DAY).start * 1_000,
        startedAtMs,
        speed: CLOCK_SPEED,
      },
      logLevel: 'error',
      restart: { baseMs: 30, maxMs: 60 },
      router: () => ({
        later: { minSeconds: 1, maxSeconds: 2 },
        desk: { answerWithinMs: 4_000, later: { minSeconds: 1, maxSeconds: 1 } },
      }),
    });
    try {
      const tenants = CONSORTIUM.filter(({ id }) => id === tenant);
      const { devices } = planFleet({ seed, meters, tenants });
      await provisionFleet({ devices, data: field.directory, pki: field.pki, nowMs: Date.now() });
      const registry = join(field.directory, 'registry.jsonl');
      writeFileSync(registry, devices.map((plan) => lineOf(field, plan)).join('\n'));
      const [port] = await freePorts(1);
      const database = join(field.directory, 'desk.sqlite');
      const desk = await headEnd.supervisor.start(
        deskSpec(field, headEnd, { tenant, port: port!, registry, database, answerWithinSeconds }),
      );
      const counted = join(field.directory, 'counted.txt');
      writeFileSync(counted, '');
      const edges = await Promise.all(
        Array.from({ length: slices }, (_, index) => {
          const spec = headEnd.fleetSpec({
            data: field.directory,
            source: {
              kind: 'emulated',
              seed,
              meters,
              tenants: [{ id: tenant }],
              slice: { index, of: slices },
            },
            run: { kind: 'continuous' },
            limits: { concurrency: meters, openMax: meters, retryBaseMs: 50, retryMaxMs: 500 },
          });
          return headEnd.supervisor.start({
            ...spec,
            name: `edge-${index}`,
            module: new URL('../programs/counting-fleet.ts', import.meta.url),
            env: { ...spec.env, HES_COUNTED: counted, ...(fault === undefined ? {} : { HES_FAULT: fault }) },
          });
        }),
      );
      const ids = devices.map(({ id }) => id);
      const world = new CommandsWorld({
        field,
        headEnd,
        devices: ids,
        desk,
        edges,
        database,
        counted,
        port: port!,
      });
      await until(
        'every meter has told the desk that it listens',
        () => (headEnd.front.counters['heard'] ?? 0) >= ids.length,
        STARTED_WITHIN_MS,
      );
      return world;
    } catch (error) {
      await headEnd.stop();
      throw error;
    }
  }

  /** Sign and propose, with the second signature where one is needed, until the desk has acknowledged both. */
  async order(draft: Draft, place: number): Promise<Order> {
    const { device, type } = draft;
    const args = draft.arguments(systemClock.nowMs());
    const reason = isCritical(type) ? 'a test of kills' : null;
    const { id, ...proposal } = this.#operator.hand.propose(device, type, args, reason);
    await stubbornly(() => this.#operator.face.propose(proposal));
    if (isCritical(type)) {
      const signed = this.#approver.hand.approve(proposal.signed);
      await stubbornly(() => this.#approver.face.approve(id, signed));
    }
    return { id, device, place, type, arguments: args } as Order;
  }

  ask<T>(path: string): Promise<T> {
    return stubbornly(() => this.#operator.face.get<T>(path));
  }

  /** What the meters did, a line each. */
  counted(): readonly string[] {
    return readFileSync(this.#counted, 'utf8').split('\n').slice(0, -1);
  }

  /** The folder that a device keeps its journal in; undefined where it was never commanded. */
  journal(device: DeviceId): string | undefined {
    const path = join(this.#field.directory, 'devices', device, 'operations');
    return existsSync(path) ? path : undefined;
  }

  /** Keys of the MDM's records of what commands read. */
  reads(): readonly string[] {
    return this.headEnd
      .records(this.#tenant)
      .map(({ key }) => key)
      .filter((key) => key.includes('/read/'));
  }

  async stopEdges(): Promise<void> {
    await Promise.all(this.edges.map((edge) => edge.stop()));
  }

  async stop(): Promise<void> {
    this.#operator.face.close();
    this.#approver.face.close();
    await this.headEnd.stop();
  }

  #person(role: Role, port: number): { readonly face: ApiFace; readonly hand: Hand } {
    const place = this.#field.pki.layout.office.person(this.#tenant, role);
    const opened = openOfficeIdentity(readOfficeIdentity(place.identity), readPassphrase(place.passphrase));
    return {
      face: apiFace(`https://127.0.0.1:${port}`, opened),
      hand: new Hand(this.#tenant, opened.signer, systemClock),
    };
  }
}

/** Whoever lost the answer asks again: proposed and approved again, a command is the same one. */
async function stubbornly<T>(ask: () => Promise<T>): Promise<T> {
  const endMs = performance.now() + ANSWERED_WITHIN_MS;
  for (;;)
    try {
      return await ask();
    } catch (error) {
      const isFinal = error instanceof ApiRefusal && error.status < 500 && error.status !== 429;
      if (isFinal || performance.now() > endMs) throw error;
      await delay(AGAIN_MS);
    }
}

/** As an operator's own systems write it down. */
function lineOf(field: Field, plan: ReturnType<typeof planFleet>['devices'][number]): string {
  const { id: device, home, meters } = plan;
  const { agree } = readDeviceIdentity(deviceIdentityFile(join(field.directory, 'devices'), device));
  return JSON.stringify({
    device,
    home,
    medium: meters[0]!.medium,
    channels: meters.map(({ channel, medium, owner }) => ({ channel, medium, owner })),
    certificate: leafOf(agree.certificate),
  });
}

/** The first certificate of a PEM text. */
const leafOf = (pem: string): string => /-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/.exec(pem)![0];

/** Nobody is held for another's eyes: what is tried is kills, not numbers. */
const NO_THRESHOLDS = Object.fromEntries(
  COMMAND_TYPES.map((type: CommandType) => [type, { person: 1_000_000, system: 1_000_000 }]),
);

function deskSpec(
  { pki }: Field,
  headEnd: HeadEndProcesses,
  about: {
    readonly tenant: TenantId;
    readonly port: number;
    readonly registry: string;
    readonly database: string;
    readonly answerWithinSeconds: number;
  },
): ChildSpec {
  const { tenant, port, registry, database, answerWithinSeconds } = about;
  const { spec } = headEnd.router(tenant);
  const { layout } = pki;
  const { bus } = spec.config as { readonly bus: object };
  return {
    name: `desk-${tenant}`,
    module: spec.module,
    args: ['desk', ...spec.args!.slice(1)],
    env: spec.env!,
    readyWithinMs: spec.readyWithinMs!,
    stopRank: 1,
    config: {
      mode: 'development',
      tenant,
      database,
      listen: { port },
      tls: layout.office.desk(tenant),
      office: {
        root: layout.office.root.certificate,
        issuing: [layout.office.issuing(tenant).certificate],
        revocations: [layout.office.crl(tenant)],
      },
      field: {
        root: layout.root.certificate,
        issuers: [{ tenant, certificate: layout.issuing(tenant).certificate }],
        revocations: [layout.crl(tenant)],
      },
      registry,
      policy: {
        thresholds: NO_THRESHOLDS,
        answerWithinSeconds,
        openPerDeviceMax: 1_000,
      },
      bus,
    },
  };
}
