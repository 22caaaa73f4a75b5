import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RESULT_CODES, type ResultCode } from '../../../protocol/command/codes.ts';
import type { Command } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import { type Outcome, signOutcome } from '../../../protocol/command/outcome.ts';
import type { Role } from '../../../protocol/command/roles.ts';
import { approveCommand, signCommand } from '../../../protocol/command/signed.ts';
import type { Signer } from '../../../protocol/command/signers.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { SAMPLE_SECONDS, sampleCommand, samplePeople } from '../../../protocol/testing/command-samples.ts';
import { sampleSigner } from '../../../protocol/testing/samples.ts';
import { manualClock } from '../../runtime/clock.ts';
import { seededRandom } from '../../runtime/random.ts';
import { createDesk, type DeskOptions } from '../desk.ts';
import { newMeter } from '../registry/meter.ts';
import type { DeskStore, StoredCommand } from '../store/port.ts';
import { openSqliteStore } from '../store/sqlite/store.ts';

/** A desk of `ores` with people, meters and a clock that stands still, for tests of this room. */

export const ORES = 'ores' as TenantId;
export const NOW_MS = SAMPLE_SECONDS * 1_000 + 60_000;

export const PEOPLE = {
  ann: 'operator',
  bob: 'operator',
  bea: 'approver',
  ben: 'approver',
  /** Ann again, with another key and role: one person all the same. */
  annToo: 'approver',
  sue: 'supervisor',
  lopex: 'lopex',
  marco: 'marco',
} as const satisfies Readonly<Record<string, Role>>;
export type Name = keyof typeof PEOPLE;
const NAMES = Object.keys(PEOPLE) as Name[];
export const by = (name: Name): Signer => ({
  role: PEOPLE[name],
  person: name === 'annToo' ? 'ann' : name,
});

const people = samplePeople(...NAMES);
const deviceSigner = sampleSigner().signer;
/** A key that nobody vouches for, under a certificate of its own and under a trusted device's. */
const strangers = {
  unknown: { ...sampleSigner().signer, certificate: Buffer.from('of nobody') },
  impostor: sampleSigner().signer,
};

export const deviceOf = (number: number): DeviceId => number.toString(16).padStart(16, '0') as DeviceId;
export const METER = deviceOf(1);

const trust: DeskOptions['trust'] = (certificate) => {
  const name = /^certificate of (\w+)/.exec(Buffer.from(certificate).toString('latin1'))?.[1] as Name;
  return { publicKey: people.keyOf(certificate), signer: by(name) };
};

/** One key for all devices of a test: which device a certificate is of is the trust's question. */
const deviceKeys: DeskOptions['deviceKeys'] = (certificate) => {
  if (Buffer.compare(certificate, deviceSigner.certificate) !== 0)
    throw new HesError('ERR_TRUST_ISSUER', 'nobody that is trusted');
  return createPublicKey(deviceSigner.privateKey);
};

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

/** @param kept a folder of the caller's, which stays; one of its own otherwise, which does not */
export async function deskWorld(options: Partial<DeskOptions> = {}, kept?: string) {
  const directory = kept ?? mkdtempSync(join(tmpdir(), 'hes-desk-'));
  const store: DeskStore = openSqliteStore({ path: join(directory, 'desk.sqlite'), tenant: ORES });
  const clock = manualClock(NOW_MS);
  const changes: StoredCommand[] = [];
  const given: DeskOptions = {
    store,
    trust,
    deviceKeys,
    clock,
    random: seededRandom('desk'),
    onChange: (command) => changes.push(command),
    ...options,
  };
  const desk = createDesk(given);
  for (const number of [1, 2, 3])
    await desk.register(
      { ...newMeter({ device: deviceOf(number), home: ORES, medium: 'electricity' }), ...GAS_ON_CHANNEL_1 },
      'desk',
    );

  let drawn = 0;
  /** A command of now, with an id and a counter of its own. */
  function command(type: CommandType, change: Partial<Command> = {}): Command {
    drawn += 1;
    const nowMs = clock.nowMs();
    const sample = sampleCommand(type);
    const notBefore = Math.floor(nowMs / 1_000);
    return {
      ...sample,
      device: METER,
      id: drawn.toString(16).padStart(32, '0') as CommandId,
      counter: nowMs + drawn,
      notBefore,
      expiry: notBefore + sample.expiry - sample.notBefore,
      ...change,
    } as Command;
  }
  const signed = (given: Command, name: Name = 'ann'): Uint8Array =>
    signCommand({ command: given, signer: people.signers[name] });
  const both = (given: Command, first: Name = 'ann', second: Name = 'bea'): Uint8Array =>
    approveCommand({ signed: signed(given, first), signer: people.signers[second] });

  const propose = (given: Command, name?: Name) =>
    desk.propose({ device: given.device, signed: signed(given, name) });
  const approve = (given: Command, first?: Name, second?: Name) =>
    desk.approve({ id: given.id, signed: both(given, first, second) });

  function answer(
    { id, device }: { id: CommandId; device: DeviceId },
    code: ResultCode | null = null,
    { as, time = Math.floor(clock.nowMs() / 1_000) }: { as?: keyof typeof strangers; time?: number } = {},
  ): Uint8Array {
    const state = code === null ? 'executed' : RESULT_CODES[code].state;
    const outcome = { tenant: ORES, device, command: id, time, state, code } as Outcome;
    return signOutcome({ outcome, signer: as === undefined ? deviceSigner : strangers[as] });
  }
  const says = (
    about: { id: CommandId; device: DeviceId },
    code?: ResultCode | null,
    how?: { time?: number },
  ) => desk.outcome({ device: about.device, signed: answer(about, code, how) });

  return {
    desk,
    store,
    clock,
    changes,
    signers: people.signers,
    /** What the desk was made of: for another one over the same store. */
    options: given,
    command,
    signed,
    both,
    propose,
    approve,
    answer,
    says,
    events: async () => (await store.auditRows({ limit: 500 })).map(({ event }) => event),
    async close() {
      await store.close();
      if (kept === undefined) rmSync(directory, { recursive: true });
    },
  };
}
export type DeskWorld = Awaited<ReturnType<typeof deskWorld>>;

const GAS_ON_CHANNEL_1 = {
  channels: [
    { channel: 0, medium: 'electricity', owner: ORES },
    { channel: 1, medium: 'gas', owner: ORES },
    { channel: 2, medium: 'water', owner: 'farys' as TenantId },
  ],
} as const;
