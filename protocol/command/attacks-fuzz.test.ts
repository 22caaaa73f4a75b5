import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CERTIFICATE_BYTES_MAX,
  COMMAND_BYTES_MAX,
  COMMAND_SEALED_BYTES_MAX,
  COMMAND_SIGNED_BYTES_MAX,
} from '../limits.ts';
import {
  ann,
  bea,
  binding,
  codeOf,
  critical,
  device,
  deviceTakes,
  edited,
  header,
  keyOf,
  routine,
  sealed,
  signedCritical,
  signedRoutine,
} from '../testing/command-attacker.ts';
import { SAMPLE_DEVICE } from '../testing/samples.ts';
import { openCommand, sealCommand } from './sealed.ts';
import { claimedCommandId, signCommand, verifyCommand } from './signed.ts';

const SEED = 20_261_203;

describe('an attack on a command', () => {
  it('that flips any bit, anywhere, is refused at the layer that it touches', () => {
    for (let bit = 0; bit < sealed.length * 8; bit += bit < 400 || bit > (sealed.length - 90) * 8 ? 1 : 61) {
      const copy = Buffer.from(sealed);
      copy[bit >> 3]! ^= 1 << (bit & 7);
      expect(deviceTakes(copy), `bit ${bit}`).toMatch(/^ERR_ENVELOPE_(SHAPE|SUITE|KID|AGREEMENT|OPEN)$/);
    }
  });

  it('that edits a signed command anywhere is refused, and never a crash', () => {
    const trusting = (signed: Uint8Array): string =>
      codeOf(() =>
        verifyCommand({
          signed,
          binding,
          keyOf: (_, part) => keyOf((part === 'propose' ? ann : bea).certificate),
        }),
      );
    expect(trusting(signedCritical)).toBe('executed');
    const edit = fc.oneof(
      fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) }),
      fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), mask: fc.nat(40) }),
      fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), mask: fc.nat(255) }),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(signedRoutine, signedCritical),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        (signed, edits) => {
          let bytes = Buffer.from(signed);
          for (const { kind, at, mask } of edits) {
            const index = at % bytes.length;
            if (kind === 'flip') bytes[index]! ^= mask;
            else if (kind === 'cut')
              bytes = Buffer.concat([bytes.subarray(0, index), bytes.subarray(index + mask + 1)]);
            else
              bytes = Buffer.concat([bytes.subarray(0, index), Uint8Array.of(mask), bytes.subarray(index)]);
            if (bytes.length === 0) bytes = Buffer.from([0]);
          }
          if (bytes.equals(signed)) return;
          expect(trusting(bytes)).toMatch(/^ERR_COMMAND_/);
        },
      ),
      { seed: SEED, numRuns: 1_200 },
    );
  });

  it('of any bytes at all is refused, and never a crash', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(deviceTakes(bytes)).toMatch(/^ERR_ENVELOPE_/);
        expect(codeOf(() => verifyCommand({ signed: bytes, binding, keyOf }))).toMatch(/^ERR_COMMAND_/);
        expect(claimedCommandId(bytes)).toBeUndefined();
      }),
      { seed: SEED, numRuns: 1_500 },
    );
  });
});

describe('sealing a command', () => {
  it('refuses what is larger than a command can be, before anything else', () => {
    const large = new Uint8Array(COMMAND_SIGNED_BYTES_MAX + 1);
    expect(codeOf(() => sealCommand({ signed: large, binding, recipient: device.recipient }))).toBe(
      'ERR_COMMAND_SIZE',
    );
    expect(codeOf(() => verifyCommand({ signed: large, binding, keyOf }))).toBe('ERR_COMMAND_SIZE');
    const certificate = new Uint8Array(CERTIFICATE_BYTES_MAX + 1);
    expect(codeOf(() => signCommand({ command: routine, signer: { ...ann, certificate } }))).toBe(
      'ERR_ENVELOPE_SIZE',
    );
  });

  it('refuses a recipient that is no device’s key', () => {
    const publicKey = new Uint8Array(65);
    expect(
      codeOf(() =>
        sealCommand({ signed: signedRoutine, binding, recipient: { ...device.recipient, publicKey } }),
      ),
    ).toBe('ERR_ENVELOPE_RECIPIENT');
  });

  it('stays within what a device may be sent for the largest command and certificates', () => {
    const largest = edited(signedCritical, (message, parts) => {
      message[2] = new Uint8Array(COMMAND_BYTES_MAX);
      for (const part of parts)
        part[0] = header([
          [1, -7],
          [33, new Uint8Array(CERTIFICATE_BYTES_MAX)],
        ]);
    });
    expect(largest.length).toBeLessThanOrEqual(COMMAND_SIGNED_BYTES_MAX);
    const bytes = sealCommand({ signed: largest, binding, recipient: device.recipient });
    expect(bytes.length).toBeLessThanOrEqual(COMMAND_SEALED_BYTES_MAX);
    expect(Buffer.from(openCommand({ sealed: bytes, binding, keys: [device.key] }))).toEqual(
      Buffer.from(largest),
    );
  });

  it('shows the carrier neither the command nor who signed it', () => {
    for (const hidden of [
      ann.certificate.subarray(0, 32),
      Buffer.from(SAMPLE_DEVICE, 'hex'),
      Buffer.from(critical.reason!),
    ])
      expect(Buffer.from(sealed).includes(hidden)).toBe(false);
  });
});
