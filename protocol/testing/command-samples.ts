import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Command, CommandBody } from '../command/command.ts';
import type { CommandId } from '../command/id.ts';
import { presetWindows } from '../command/presets.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../command/table.ts';
import type { SignerKey } from '../envelope.ts';
import { parseObisCode } from '../obis.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT, sampleSigner } from './samples.ts';

/** Commands for tests and benchmarks, one of each row: a row without one does not compile. */

/** 2026-12-01 08:00 UTC. */
export const SAMPLE_SECONDS = 1_796_112_000;

export const SAMPLE_ARGUMENTS: { readonly [T in CommandType]: ArgumentsOf<T> } = {
  'tariff.set': {
    plan: 'bi',
    windows: presetWindows(SAMPLE_TENANT, 'bi', '2027-01-01')!,
    from: '2027-01-01',
  },
  'prepayment.activate': { startCreditCents: 2_000, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 },
  'prepayment.deactivate': {},
  'prepayment.balance': { balanceCents: -325, asOf: SAMPLE_SECONDS - 60, topUpCents: 2_500 },
  'breaker.open': { cause: 'credit' },
  'breaker.arm': { cause: 'credit' },
  'valve.close': { channel: 1, cause: 'safety' },
  'valve.arm': { channel: 1, cause: 'works' },
  'limiter.set': { powerW: 2_300 },
  'airplane.on': {},
  'p1.set': { on: true },
  'read.now': { registers: ['1-0:1.8.1', '1-0:1.8.2', '0-1:24.2.3'].map(parseObisCode) },
  'display.message': { text: 'Crédit bas – rechargez à partir de 5 €', until: SAMPLE_SECONDS + 86_400 },
  'clock.sync': { time: SAMPLE_SECONDS },
  'credential.renew': { key: 'tls' },
};

export const SAMPLE_COMMAND_ID = '000102030405060708090a0b0c0d0e0f' as CommandId;

export function sampleCommand<T extends CommandType>(type: T, change: Partial<Command> = {}): Command {
  const row = rowOf(type);
  return {
    version: 1,
    tenant: SAMPLE_TENANT,
    device: SAMPLE_DEVICE,
    id: SAMPLE_COMMAND_ID,
    counter: SAMPLE_SECONDS * 1_000 + 1,
    notBefore: SAMPLE_SECONDS,
    expiry: SAMPLE_SECONDS + row.expirySeconds,
    reason: row.reasonRequired ? 'case 4711' : null,
    ...({ type, arguments: SAMPLE_ARGUMENTS[type] } as unknown as CommandBody),
    ...change,
  } as Command;
}

/** People with keys, and the trust in exactly them. The certificate is a stand-in that carries the name. */
export function samplePeople<Name extends string>(
  ...names: readonly Name[]
): {
  readonly signers: Readonly<Record<Name, SignerKey>>;
  readonly keyOf: (certificate: Uint8Array) => KeyObject;
} {
  const people = names.map((name) => {
    const { privateKey } = sampleSigner().signer;
    return [
      name,
      { privateKey, certificate: Buffer.from(`certificate of ${name}`.padEnd(480, '.')) },
    ] as const;
  });
  return {
    signers: Object.fromEntries(people) as unknown as Record<Name, SignerKey>,
    keyOf(certificate) {
      const known = people.find(([, signer]) => Buffer.compare(signer.certificate, certificate) === 0);
      if (known === undefined) throw new Error('nobody that is trusted');
      return createPublicKey(known[1].privateKey);
    },
  };
}
