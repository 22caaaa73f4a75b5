import { describe, expect, it } from 'vitest';
import { isHesError } from '../errors.ts';
import { sampleCommand, samplePeople } from '../testing/command-samples.ts';
import { openSign } from '../testing/cose-open.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT, sampleOperator } from '../testing/samples.ts';
import { encodeCommand } from './command.ts';
import { openCommand, sealCommand } from './sealed.ts';
import { approveCommand, checkSignatures, claimedCommandId, signCommand, verifyCommand } from './signed.ts';
import { COMMAND_TYPES, rowOf } from './table.ts';

const binding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE };
const device = sampleOperator();
const { signers, keyOf } = samplePeople('ann', 'bea');
const { ann, bea } = signers;
const critical = sampleCommand('airplane.on');
const proposal = signCommand({ command: critical, signer: ann });

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

describe('an approval', () => {
  it('is refused where the command needs none, has one, or was proposed with the same certificate', () => {
    const approving = (signed: Uint8Array, signer = bea): string =>
      codeOf(() => approveCommand({ signed, signer }));
    expect(approving(signCommand({ command: sampleCommand('p1.set'), signer: ann }))).toBe(
      'ERR_COMMAND_SIGNATURES',
    );
    expect(approving(approveCommand({ signed: proposal, signer: bea }))).toBe('ERR_COMMAND_SIGNATURES');
    expect(approving(proposal, ann)).toBe('ERR_COMMAND_SAME_KEY');
    expect(approving(new Uint8Array(3))).toBe('ERR_COMMAND_SIGNED');
  });

  it('leaves the bytes and the first signature as they were', () => {
    const approved = Buffer.from(approveCommand({ signed: proposal, signer: bea }));
    const payload = Buffer.from(encodeCommand(critical));
    // Head of the message, payload, head of the list; then the first signature, to the end of the proposal.
    const list = Buffer.from(proposal).indexOf(payload) + payload.length;
    expect(approved.subarray(0, list)).toEqual(Buffer.from(proposal.subarray(0, list)));
    expect([proposal[list], approved[list]]).toEqual([0x81, 0x82]);
    expect(approved.subarray(list + 1, proposal.length)).toEqual(Buffer.from(proposal.subarray(list + 1)));
  });
});

describe('a proposal', () => {
  it('is verified by its first signature alone, and is no complete command', () => {
    expect(verifyCommand({ signed: proposal, binding, keyOf, stage: 'proposed' }).command).toEqual(critical);
    expect(codeOf(() => verifyCommand({ signed: proposal, binding, keyOf }))).toBe('ERR_COMMAND_SIGNATURES');
    const approved = approveCommand({ signed: proposal, signer: bea });
    expect(codeOf(() => verifyCommand({ signed: approved, binding, keyOf, stage: 'proposed' }))).toBe(
      'ERR_COMMAND_SIGNATURES',
    );
  });

  it('is not signed where it could not be executed', () => {
    const wrong = { ...critical, expiry: critical.notBefore };
    expect(codeOf(() => signCommand({ command: wrong, signer: ann }))).toBe('ERR_COMMAND_RULE');
  });

  it('is COSE_Sign as others read it', () => {
    const publicKeys = [keyOf(ann.certificate), keyOf(bea.certificate)];
    const aad = Buffer.from(`t/${SAMPLE_TENANT}/${SAMPLE_DEVICE}/down/command propose`);
    expect(Buffer.from(openSign(proposal, publicKeys.slice(0, 1), aad))).toEqual(
      Buffer.from(encodeCommand(critical)),
    );
  });
});

describe('a command, from its signers to its device', () => {
  it.each(COMMAND_TYPES)('arrives as it was signed: %s', (type) => {
    const command = sampleCommand(type);
    const first = signCommand({ command, signer: ann });
    const signed = rowOf(type).critical ? approveCommand({ signed: first, signer: bea }) : first;
    const sealed = sealCommand({ signed, binding, recipient: device.recipient });
    const opened = openCommand({ sealed, binding, keys: [device.key] });
    const verified = verifyCommand({ signed: opened, binding, keyOf });
    expect(verified.command).toEqual(command);
    expect(Buffer.from(verified.payload)).toEqual(Buffer.from(encodeCommand(command)));
    expect(verified.signatures.map(({ part }) => part)).toEqual(
      rowOf(type).critical ? ['propose', 'approve'] : ['propose'],
    );
  });

  it('opens with the older of two keys while one is rolled over', () => {
    const sealed = sealCommand({ signed: proposal, binding, recipient: device.recipient });
    const keys = [sampleOperator('ffffffffffffffff').key, device.key];
    expect(Buffer.from(openCommand({ sealed, binding, keys }))).toEqual(Buffer.from(proposal));
  });

  it('says of each signature who made it and whether it holds', () => {
    const signed = Buffer.from(approveCommand({ signed: proposal, signer: bea }));
    signed[signed.length - 1]! ^= 1;
    const { signatures } = checkSignatures({ signed, binding, keyOf });
    expect(signatures.map(({ part, certificate, holds }) => [part, Buffer.from(certificate), holds])).toEqual(
      [
        ['propose', ann.certificate, true],
        ['approve', bea.certificate, false],
      ],
    );
  });

  it('names itself where it cannot be verified, also of a version and type that is to come', () => {
    expect(claimedCommandId(proposal)).toBe(critical.id);
    const at = Buffer.from(proposal).indexOf(encodeCommand(critical));
    const later = Buffer.from(proposal);
    later[at + 2] = 2;
    expect(codeOf(() => approveCommand({ signed: later, signer: bea }))).toBe('ERR_COMMAND_VERSION');
    expect(claimedCommandId(later)).toBe(critical.id);
  });
});
