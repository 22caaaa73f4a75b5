import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { encodeCbor } from '../cbor/codec.ts';
import { openUplink, sealUplink } from '../envelope.ts';
import type { TenantId } from '../identity.ts';
import { messageKeys } from '../keys.ts';
import { COMMAND_SEALED_BYTES_MAX } from '../limits.ts';
import { sealTo } from '../sealing.ts';
import { signEs256, signPayload } from '../signed.ts';
import { SUITES } from '../suites.ts';
import { CONSORTIUM } from '../tenants.ts';
import {
  ann,
  approved,
  BOUNDS,
  bea,
  binding,
  bob,
  codeOf,
  critical,
  device,
  deviceTakes,
  edited,
  elsewhere,
  flipped,
  header,
  keyOf,
  mirrored,
  other,
  type Part,
  partsOf,
  payloadOf,
  resealed,
  routine,
  sealed,
  signedBytes,
  signedCritical,
  signedRoutine,
  withParts,
} from '../testing/command-attacker.ts';
import { sampleCommand, samplePeople } from '../testing/command-samples.ts';
import { SAMPLE_TENANT, sampleOperator } from '../testing/samples.ts';
import { openCommand } from './sealed.ts';
import { commandTopic, signCommand, verifyCommand } from './signed.ts';

/**
 * Everything that a carrier could do to a command, and what refuses it. He has all that passes him, the public key
 * of every device, and no private key; where a row says so, somebody inside helps him with his own.
 */
const [proposal, approval] = partsOf(signedCritical) as [Part, Part];
const ATTACKS: readonly (readonly [attack: string, code: string, attempt: () => string])[] = [
  // Of the sealed layer.
  ['a bit of the ciphertext', 'ERR_ENVELOPE_OPEN', () => deviceTakes(flipped(sealed, 200))],
  ['another device’s topic', 'ERR_ENVELOPE_OPEN', () => deviceTakes(sealed, elsewhere)],
  [
    'a key of the same name that is another device’s',
    'ERR_ENVELOPE_OPEN',
    () => codeOf(() => openCommand({ sealed, binding, keys: [sampleOperator().key] })),
  ],
  [
    'a key that the device does not hold',
    'ERR_ENVELOPE_KID',
    () => codeOf(() => openCommand({ sealed, binding, keys: [] })),
  ],
  ['cut short', 'ERR_ENVELOPE_SHAPE', () => deviceTakes(sealed.subarray(0, -1))],
  ['a byte behind it', 'ERR_ENVELOPE_SHAPE', () => deviceTakes(Buffer.concat([sealed, Uint8Array.of(0)]))],
  [
    'larger than any command',
    'ERR_ENVELOPE_SIZE',
    () => deviceTakes(new Uint8Array(COMMAND_SEALED_BYTES_MAX + 1)),
  ],
  [
    'a curve point that is none',
    'ERR_ENVELOPE_AGREEMENT',
    () => deviceTakes(flipped(sealed, sealed.length - 2)),
  ],
  ['the mirrored curve point, of the same secret', 'ERR_ENVELOPE_OPEN', () => deviceTakes(mirrored(sealed))],
  ['an algorithm of another suite', 'ERR_ENVELOPE_SUITE', () => deviceTakes(flipped(sealed, 6))],
  [
    'an uplink that was sealed to the device’s own key',
    'ERR_ENVELOPE_OPEN',
    () => {
      const uplink = { payload: payloadOf(critical), binding: { ...binding, kind: 'result' as const } };
      return deviceTakes(sealUplink({ ...uplink, recipient: device.recipient, signer: ann }).sealed);
    },
  ],
  [
    'an uplink’s sealing around a command',
    'ERR_ENVELOPE_OPEN',
    () => {
      // With the topic of commands as its external_aad, so that only the keys tell the directions apart.
      const uplink = sealTo({
        clear: signedCritical,
        topic: commandTopic(binding),
        recipient: device.recipient,
        suites: SUITES,
        derive: ({ suite, secret, kid, sent }) =>
          messageKeys(suite, secret, { ...binding, kind: 'result' }, kid, sent),
      });
      return deviceTakes(uplink.sealed);
    },
  ],
  [
    'a command, given to an operator as an uplink of his',
    'ERR_ENVELOPE_OPEN',
    () => codeOf(() => openUplink({ sealed, binding: { ...binding, kind: 'result' }, keys: [device.key] })),
  ],
  // Of the signed layer: whoever knows the device's public key can seal, so this is what stands.
  ['no signature at all', 'ERR_COMMAND_SIGNED', () => resealed(payloadOf())],
  ['an empty list of signatures', 'ERR_COMMAND_SIGNED', () => resealed(withParts(signedRoutine))],
  [
    'three signatures',
    'ERR_COMMAND_SIGNED',
    () => resealed(withParts(signedCritical, proposal, approval, approval)),
  ],
  [
    'a COSE_Sign1 instead',
    'ERR_COMMAND_SIGNED',
    () => resealed(signPayload(payloadOf(), commandTopic(binding), ann)),
  ],
  [
    'edited arguments',
    'ERR_COMMAND_SIGNATURE',
    () =>
      resealed(
        edited(signedRoutine, (message) => {
          message[2] = payloadOf(sampleCommand('p1.set', { arguments: { on: false } } as object));
        }),
      ),
  ],
  [
    'a later expiry',
    'ERR_COMMAND_SIGNATURE',
    () =>
      resealed(
        edited(signedRoutine, (message) => {
          message[2] = payloadOf({ ...routine, expiry: routine.expiry + 1 });
        }),
      ),
  ],
  ['another device, sealed anew', 'ERR_COMMAND_SIGNATURE', () => resealed(signedCritical, elsewhere)],
  [
    'the bytes of another device under this one’s signatures',
    'ERR_COMMAND_SIGNATURE',
    () =>
      resealed(
        edited(signedCritical, (message) => {
          message[2] = payloadOf({ ...critical, device: elsewhere.device });
        }),
      ),
  ],
  [
    'another device’s name inside, signed for this one’s topic',
    'ERR_COMMAND_OTHER',
    () => resealed(signedBytes(payloadOf({ ...routine, device: elsewhere.device }))),
  ],
  [
    'another tenant’s name inside, signed for this one’s topic',
    'ERR_COMMAND_OTHER',
    () => resealed(signedBytes(payloadOf({ ...routine, tenant: 'fluvius' as TenantId }))),
  ],
  ['one signature for two', 'ERR_COMMAND_SIGNATURES', () => resealed(withParts(signedCritical, proposal))],
  ['the approval alone', 'ERR_COMMAND_SIGNATURE', () => resealed(withParts(signedCritical, approval))],
  [
    'the proposal twice',
    'ERR_COMMAND_SAME_KEY',
    () => resealed(withParts(signedCritical, proposal, proposal)),
  ],
  [
    'the approval twice',
    'ERR_COMMAND_SAME_KEY',
    () => resealed(withParts(signedCritical, approval, approval)),
  ],
  [
    'proposal and approval exchanged',
    'ERR_COMMAND_SIGNATURE',
    () => resealed(withParts(signedCritical, approval, proposal)),
  ],
  [
    'the proposal of somebody else as an approval',
    'ERR_COMMAND_SIGNATURE',
    () =>
      resealed(
        withParts(signedCritical, proposal, partsOf(signCommand({ command: critical, signer: bea }))[0]!),
      ),
  ],
  [
    'the approval of another command',
    'ERR_COMMAND_SIGNATURE',
    () => resealed(withParts(signedCritical, proposal, partsOf(approved(other))[1]!)),
  ],
  [
    'the proposal of another command',
    'ERR_COMMAND_SIGNATURE',
    () => resealed(withParts(signedCritical, partsOf(approved(other))[0]!, approval)),
  ],
  [
    'an approval that the command does not need',
    'ERR_COMMAND_SIGNATURES',
    () => {
      // By hand: `approveCommand` refuses to.
      const aad = Buffer.concat([commandTopic(binding), Buffer.from(' approve')]);
      const structure = encodeCbor(['Signature', new Uint8Array(0), approval[0], aad, payloadOf()], BOUNDS);
      const second: Part = [approval[0], new Map(), signEs256(structure, bea.privateKey)];
      return resealed(withParts(signedRoutine, partsOf(signedRoutine)[0]!, second));
    },
  ],
  [
    'two certificates of one key',
    'ERR_COMMAND_SAME_KEY',
    () => {
      const twin = { ...bea, privateKey: ann.privateKey };
      const signed = approved(critical, ann, twin);
      const keys = (certificate: Uint8Array) =>
        keyOf(Buffer.compare(certificate, bea.certificate) === 0 ? ann.certificate : certificate);
      return codeOf(() => verifyCommand({ signed, binding, keyOf: keys }));
    },
  ],
  [
    'another person’s certificate over a signature',
    'ERR_COMMAND_SIGNATURE',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![0] = partsOf(signCommand({ command: routine, signer: bob }))[0]![0];
        }),
      ),
  ],
  [
    'another algorithm',
    'ERR_COMMAND_ALGORITHM',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![0] = header([
            [1, -8],
            [33, Buffer.from(ann.certificate)],
          ]);
        }),
      ),
  ],
  [
    'an HMAC for a signature, under the public certificate',
    'ERR_COMMAND_ALGORITHM',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![0] = header([
            [1, 5],
            [33, Buffer.from(ann.certificate)],
          ]);
        }),
      ),
  ],
  [
    'no certificate',
    'ERR_COMMAND_SIGNED',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![0] = header([[1, -7]]);
        }),
      ),
  ],
  [
    'a certificate outside of what is signed',
    'ERR_COMMAND_SIGNED',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![1] = new Map([[33, Buffer.from(bob.certificate)]]);
        }),
      ),
  ],
  [
    'a critical header that nobody here knows',
    'ERR_COMMAND_SIGNED',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![0] = header([
            [1, -7],
            [2, [99]],
            [33, Buffer.from(ann.certificate)],
          ]);
        }),
      ),
  ],
  [
    'a header of the whole message',
    'ERR_COMMAND_SIGNED',
    () =>
      resealed(
        edited(signedRoutine, (message) => {
          message[0] = header([[3, 0]]);
        }),
      ),
  ],
  [
    'a DER signature',
    'ERR_COMMAND_SIGNED',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![2] = sign('sha256', payloadOf(), ann.privateKey);
        }),
      ),
  ],
  [
    'zeros for a signature',
    'ERR_COMMAND_SIGNATURE',
    () =>
      resealed(
        edited(signedRoutine, (_, parts) => {
          parts[0]![2] = new Uint8Array(64);
        }),
      ),
  ],
  ['a signed command cut short', 'ERR_COMMAND_SIGNED', () => resealed(signedCritical.subarray(0, -1))],
  [
    'a signed command with bytes behind it',
    'ERR_COMMAND_SIGNED',
    () => resealed(Buffer.concat([signedCritical, Uint8Array.of(0)])),
  ],
  [
    'an indefinite list of signatures',
    'ERR_COMMAND_SIGNED',
    () => {
      const bytes = Buffer.from(signedRoutine);
      const at = 2 + 1 + 1 + 1 + 2 + payloadOf().length;
      expect(bytes[at]).toBe(0x81);
      bytes[at] = 0x9f;
      return resealed(Buffer.concat([bytes, Uint8Array.of(0xff)]));
    },
  ],
  // Of the payload, by somebody whose signature holds.
  [
    'a payload of a longer form',
    'ERR_COMMAND_CBOR',
    () => resealed(signedBytes(Buffer.concat([Buffer.from('a9011801', 'hex'), payloadOf().subarray(3)]))),
  ],
  [
    'a payload with a key twice',
    'ERR_COMMAND_SCHEMA',
    () => resealed(signedBytes(Buffer.concat([Buffer.from('aa0101', 'hex'), payloadOf().subarray(1)]))),
  ],
  ['a payload cut short', 'ERR_COMMAND_CBOR', () => resealed(signedBytes(payloadOf().subarray(0, -1)))],
  ['a payload that is none', 'ERR_COMMAND_CBOR', () => resealed(signedBytes(new Uint8Array(0)))],
  [
    'a limit beyond the table’s',
    'ERR_COMMAND_SCHEMA',
    () => {
      const balance = payloadOf(
        sampleCommand('prepayment.balance', {
          arguments: { balanceCents: 100_000, asOf: 1, topUpCents: null },
        } as object),
      );
      const at = balance.indexOf(Buffer.from('1a000186a0', 'hex'));
      balance.writeUInt32BE(100_001, at + 1);
      return resealed(signedBytes(balance));
    },
  ],
];

describe('an attack on a command', () => {
  it('is needed for it to be refused: untouched it is executed, sealed by whomever', () => {
    expect(deviceTakes(sealed)).toBe('executed');
    expect(resealed(signedCritical)).toBe('executed');
    expect(resealed(signedRoutine)).toBe('executed');
    expect(resealed(signedBytes(payloadOf()))).toBe('executed');
    expect(resealed(withParts(signedCritical, proposal, approval))).toBe('executed');
  });

  it.each(ATTACKS)('is refused: %s (%s)', (_, code, attempt) => {
    expect(attempt()).toBe(code);
  });

  it.each(CONSORTIUM.filter(({ id }) => id !== SAMPLE_TENANT))(
    'is refused: moved to $id, or sealed anew for it',
    ({ id }) => {
      const at = { ...binding, tenant: id };
      expect(deviceTakes(sealed, at)).toBe('ERR_ENVELOPE_OPEN');
      expect(resealed(signedCritical, at)).toBe('ERR_COMMAND_SIGNATURE');
    },
  );

  it('is refused where the trust in a signer is: what it throws goes through', () => {
    const stranger = samplePeople('eve').signers.eve;
    expect(() =>
      verifyCommand({ signed: signCommand({ command: routine, signer: stranger }), binding, keyOf }),
    ).toThrow('nobody that is trusted');
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    expect(codeOf(() => verifyCommand({ signed: signedRoutine, binding, keyOf: () => publicKey }))).toBe(
      'ERR_COMMAND_SIGNATURE',
    );
  });
});
