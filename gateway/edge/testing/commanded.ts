import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { DevelopmentPki } from '../../../pki/development/development.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from '../../../pki/office/identity.ts';
import { sealingKid } from '../../../pki/trust.ts';
import { P256_POINT_BYTES, parseCertificate } from '../../../pki/x509/certificate.ts';
import { readPem } from '../../../pki/x509/pem.ts';
import type { Command } from '../../../protocol/command/command.ts';
import { type CommandId, commandIdOf } from '../../../protocol/command/id.ts';
import type { Role } from '../../../protocol/command/roles.ts';
import { sealCommand } from '../../../protocol/command/sealed.ts';
import { approveCommand, signCommand } from '../../../protocol/command/signed.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../../../protocol/command/table.ts';
import type { SignerKey } from '../../../protocol/envelope.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { sampleCommand } from '../../../protocol/testing/command-samples.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { EdgeCommands } from '../commands.ts';
import type { EdgeDevice } from '../device.ts';
import type { Installation } from '../operations/installation.ts';
import { FakeHardware } from '../operations/testing/hardware.ts';
import type { Bench } from './device.ts';
import { captured, FARYS, IMPORT_DAY, meter, ORES, register, snapshot, WATER } from './meters.ts';

/** People of a development office who sign for a device, and a device that they may command. */

/** An electricity meter of its home with a breaker, and the water meter of a guest. */
export const installationOf = ({ device, home }: DeviceIdentity): Installation => ({
  device,
  home,
  meters: [
    { channel: 0, owner: ORES, medium: 'electricity', switchable: true },
    { channel: 2, owner: FARYS, medium: 'water', switchable: false },
  ],
  protectedPeriods: [],
});

export function commandsFor(
  identity: DeviceIdentity,
  extra: Partial<EdgeCommands> = {},
): EdgeCommands & { readonly hardware: FakeHardware } {
  return { installation: installationOf(identity), ...extra, hardware: new FakeHardware() };
}

export class Office {
  readonly #pki: DevelopmentPki;
  readonly #clock: Clock;
  readonly #signers = new Map<string, SignerKey>();
  #counter = 0;

  constructor(pki: DevelopmentPki, clock: Clock) {
    this.#pki = pki;
    this.#clock = clock;
  }

  signer(tenant: TenantId, role: Role): SignerKey {
    const name = `${tenant}/${role}`;
    const known = this.#signers.get(name);
    if (known !== undefined) return known;
    const files = this.#pki.layout.office.person(tenant, role);
    const { signer } = openOfficeIdentity(
      readOfficeIdentity(files.identity),
      readPassphrase(files.passphrase),
    );
    this.#signers.set(name, signer);
    return signer;
  }

  /** A command of now; its counter rises by itself. */
  command<T extends CommandType>(
    device: DeviceId,
    type: T,
    args: ArgumentsOf<T>,
    change: Partial<Command> = {},
  ): Command {
    const nowMs = this.#clock.nowMs();
    this.#counter = Math.max(this.#counter + 1, nowMs);
    const now = Math.floor(nowMs / 1_000);
    return sampleCommand(type, {
      tenant: ORES,
      device,
      id: freshId(),
      counter: this.#counter,
      notBefore: now,
      expiry: now + rowOf(type).expirySeconds,
      ...({ arguments: args } as object),
      ...change,
    });
  }

  /** Signed by whom it needs. */
  sign(command: Command): Uint8Array {
    const signed = signCommand({ command, signer: this.signer(command.tenant, 'operator') });
    if (rowOf(command.type).signatures === 1) return signed;
    return approveCommand({ signed, signer: this.signer(command.tenant, 'approver') });
  }
}

export const freshId = (): CommandId => commandIdOf(randomBytes(16));

/** As a desk seals it: to the key-agreement certificate of the device. */
export function sealFor({ device, agree }: DeviceIdentity, tenant: TenantId, signed: Uint8Array): Uint8Array {
  const { spki } = parseCertificate(readPem('CERTIFICATE', agree.certificate)[0]!);
  const recipient = { kid: sealingKid(spki), publicKey: spki.slice(-P256_POINT_BYTES) };
  return sealCommand({ signed, binding: { tenant, device }, recipient });
}

/** Until something holds; its end is the test's own time-out. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await delay(5);
}

/** What the tests of a device under command share: an office, a desk that has commands for it, and its meters. */
export function commandBench(bench: Bench) {
  let office: Office | undefined;
  const officeOf = (): Office => (office ??= new Office(bench.headEnd.pki, bench.clock));
  const command = <T extends CommandType>(
    type: T,
    args: ArgumentsOf<T>,
    change?: Partial<Command>,
  ): Command => officeOf().command(bench.identity.device, type, args, change);
  const seal = (one: Command): Uint8Array => sealFor(bench.identity, one.tenant, officeOf().sign(one));
  return {
    command,
    seal,
    p1: (on: boolean): Command => command('p1.set', { on }),
    /** Each goes out as a desk would send it: one in flight, the next before the answer to the one before. */
    queue(...commands: readonly Command[]): void {
      const waiting = [...commands];
      bench.headEnd.dispatch = (tenant, device) => {
        const next = waiting.findIndex((one) => one.tenant === tenant);
        if (next < 0 || !bench.headEnd.isAwake(tenant, device)) return;
        const [one] = waiting.splice(next, 1);
        bench.headEnd.send(tenant, device, seal(one!));
      };
    },
    outcomes: (): string[] => bench.headEnd.results.map(({ outcome }) => outcome.code ?? outcome.state),
    /** The meters as they stand now. */
    show(device: EdgeDevice, wh = 1_234): void {
      const now = Math.floor(bench.clock.nowMs() / 1_000);
      const water = { medium: 'water', channel: 2, serial: '8ITR' } as const;
      device.observe(
        snapshot(now, [meter([register(IMPORT_DAY, wh)]), meter([captured(WATER, 77, now - 600)], water)]),
      );
    },
  };
}

/** Wakes that wait for nobody. */
export const SOON = { schedule: { backoffBaseMs: 1, jitterMs: 0 } };
/** How long a test waits for an answer that does not come; it may be longer than any that does. */
export const SILENT = { ...SOON, uplink: { answerTimeoutMs: 1_000 } };
