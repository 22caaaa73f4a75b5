import { beforeAll, describe, expect, it } from 'vitest';
import { type Command, encodeCommand } from '../../../protocol/command/command.ts';
import { signCommand } from '../../../protocol/command/signed.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { sampleCommand, samplePeople } from '../../../protocol/testing/command-samples.ts';
import { SAMPLE_TENANT } from '../../../protocol/testing/samples.ts';
import { sha256Hex } from '../../desk/campaigns/id.ts';
import {
  CommandsDigest,
  type Manifest,
  signManifest,
  verifyManifest,
} from '../../desk/campaigns/manifest.ts';
import { CommandsCheck, submittedManifest } from './verify.ts';

/** A desk that lies to whoever approves: whatever it swaps, adds, drops or edits is found before a name is put under it. */

const people = samplePeople('ann', 'bob', 'sue');
const trust = (certificate: Uint8Array) => {
  const person = /^certificate of (\w+)/.exec(Buffer.from(certificate).toString('latin1'))![1]!;
  const role = person === 'sue' ? ('supervisor' as const) : ('operator' as const);
  return { publicKey: people.keyOf(certificate), signer: { role, person } };
};

const COUNT = 6;
let drawn = 0;
const commandFor = (number: number, change: Partial<Command> = {}): Command => {
  drawn += 1;
  return sampleCommand('p1.set', {
    device: number.toString(16).padStart(16, '0') as DeviceId,
    id: drawn.toString(16).padStart(32, '0') as never,
    counter: 1_796_112_000_000 + drawn,
    ...change,
  });
};
const commands = Array.from({ length: COUNT }, (_, number) => commandFor(number));
const itemOf = (command: Command, by: 'ann' | 'bob' = 'ann') => ({
  device: command.device,
  signed: signCommand({ command, signer: people.signers[by] }),
});
const items = commands.map((command) => itemOf(command));

const sum = new CommandsDigest();
for (const command of commands) sum.add(sha256Hex(encodeCommand(command)));
const manifest: Manifest = {
  version: 1,
  tenant: SAMPLE_TENANT,
  type: 'p1.set',
  count: COUNT,
  commands: sum.end(),
  waves: [1],
  errorLimitPermille: 50,
  waveSeconds: 3_600,
  notBefore: commands[0]!.notBefore,
  expiry: commands[0]!.expiry,
  madeAtMs: 1,
  reason: null,
  parent: null,
};
const proposal = signManifest(manifest, 'propose', people.signers.ann);
const genuine = verifyManifest({ signed: proposal, tenant: SAMPLE_TENANT, part: 'propose', trust });
const expected = { id: genuine.id, tenant: SAMPLE_TENANT, trust };

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
};
const checked = (shown: readonly (typeof items)[number][]): string =>
  codeOf(() => {
    const check = new CommandsCheck(genuine, trust);
    for (const item of shown) check.add(item);
    check.end();
  });
const swapped = (at: number, item: (typeof items)[number]) => items.with(at, item);
const signedAsShown = items[2]!.signed;
const edited = Uint8Array.from(signedAsShown);

describe('whoever approves a campaign', () => {
  beforeAll(() => {
    edited[edited.length - 1]! ^= 1;
  });

  it('is shown what was submitted', () => {
    expect(checked(items)).toBe('none');
    expect(submittedManifest(proposal, expected).manifest).toEqual(manifest);
  });

  it.each<[string, () => readonly (typeof items)[number][]]>([
    ['a command that was dropped at the end', () => items.slice(0, -1)],
    ['a command that was dropped at the beginning', () => items.slice(1)],
    ['a command that was added, genuinely signed', () => [...items, itemOf(commandFor(99))]],
    ['a command that was exchanged for another of the same person', () => swapped(2, itemOf(commandFor(2)))],
    ['two commands that changed places', () => swapped(1, items[2]!).with(2, items[1]!)],
    ['a command that is there twice, in the place of another', () => swapped(3, items[2]!)],
    ['a command of another signer', () => swapped(2, itemOf(commands[2]!, 'bob'))],
    [
      'a command of another type',
      () => swapped(2, itemOf(sampleCommand('read.now', { device: commands[2]!.device }))),
    ],
    [
      'a command with another validity',
      () => swapped(2, itemOf(commandFor(2, { expiry: manifest.expiry - 1 }))),
    ],
    ['a signature that was edited', () => swapped(2, { device: commands[2]!.device, signed: edited })],
    [
      'a command under the name of another device',
      () => swapped(2, { ...items[2]!, device: items[3]!.device }),
    ],
    ['bytes that are no command', () => swapped(2, { ...items[2]!, signed: Uint8Array.of(1, 2, 3) })],
    ['nothing at all', () => []],
  ])('finds %s', (_, shown) => {
    expect(checked(shown())).toBe('ERR_OP_ALTERED');
  });

  it.each<[string, () => Uint8Array]>([
    [
      'a manifest of another campaign, genuinely signed',
      () => signManifest({ ...manifest, madeAtMs: 2 }, 'propose', people.signers.ann),
    ],
    [
      'a wider error limit under another signature',
      () => signManifest({ ...manifest, errorLimitPermille: 1_000 }, 'propose', people.signers.bob),
    ],
    ['an approval in the place of the proposal', () => signManifest(manifest, 'approve', people.signers.ann)],
    ['a manifest that was edited', () => Uint8Array.from(proposal).fill(0, 600, 601)],
    ['bytes that are no manifest', () => Uint8Array.of(0)],
  ])('finds %s', (_, shown) => {
    expect(codeOf(() => submittedManifest(shown(), expected))).toBe('ERR_OP_ALTERED');
  });

  it('approves nothing that was submitted by somebody who may not', () => {
    const signed = signManifest(manifest, 'propose', people.signers.sue);
    expect(codeOf(() => submittedManifest(signed, expected))).toBe('ERR_COMMAND_ROLE');
  });
});
