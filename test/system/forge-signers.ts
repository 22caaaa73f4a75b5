import type { SignerKey } from '../../protocol/envelope.ts';
import { partsOf, withParts } from '../../protocol/testing/command-attacker.ts';
import { type Attack, by, cut, port, SEVERAL_HOURS_MS, say } from './forge-craft.ts';
import { FARYS, ORES, signerOf, signerOfFiles, strangeOperator } from './forge-people.ts';
import type { ForgeWorld, Meter } from './forge-world.ts';

/** What was signed by those who may not, or by too few of those who may. */

/** Signatures that are too few, twice, of one person, or in another's place. */
export const COUNTED: readonly Attack[] = [
  {
    attack: 'one signature for two',
    answer: 'refused signature',
    with: (world, meter) => [world.seal(meter, by(cut(world, meter), world.office.signer('operator')))],
  },
  {
    attack: 'two signatures for one',
    answer: 'refused signature',
    with(world, meter) {
      const [approval] = partsOf(world.signed(cut(world, meter))).slice(1);
      const signed = world.signed(port(world, meter));
      return [world.seal(meter, withParts(signed, partsOf(signed)[0]!, approval!))];
    },
  },
  {
    attack: 'the proposal twice',
    answer: 'refused people',
    with(world, meter) {
      const signed = world.signed(cut(world, meter));
      const [proposal] = partsOf(signed);
      return [world.seal(meter, withParts(signed, proposal!, proposal!))];
    },
  },
  {
    attack: 'the same person twice, with two keys and two roles',
    answer: 'refused people',
    with(world, meter) {
      const again = world.office.issued({ role: 'approver', person: 'operator' });
      return [world.seal(meter, by(cut(world, meter), world.office.signer('operator'), again))];
    },
  },
  {
    attack: 'a propose signature used as approve',
    answer: 'refused signature',
    with(world, meter) {
      const command = cut(world, meter);
      const both = world.signed(command);
      const [other] = partsOf(by(command, world.office.signer('approver')));
      return [world.seal(meter, withParts(both, partsOf(both)[0]!, other!))];
    },
  },
  {
    attack: 'both signatures, in each other’s place',
    answer: 'refused signature',
    with(world, meter) {
      const both = world.signed(cut(world, meter));
      const [proposal, approval] = partsOf(both);
      return [world.seal(meter, withParts(both, approval!, proposal!))];
    },
  },
  {
    attack: 'the approval of another order',
    answer: 'refused signature',
    with(world, meter) {
      const both = world.signed(cut(world, meter));
      const [, other] = partsOf(world.signed(cut(world, meter)));
      return [world.seal(meter, withParts(both, partsOf(both)[0]!, other!))];
    },
  },
  {
    attack: 'the approval alone',
    answer: 'refused signature',
    with(world, meter) {
      const both = world.signed(cut(world, meter));
      return [world.seal(meter, withParts(both, partsOf(both)[1]!))];
    },
  },
];

/** Roles that may not. */
export const ROLES: readonly Attack[] = [
  {
    attack: 'a role missing: a supervisor, who signs nothing',
    answer: 'refused role',
    with: (world, meter) => [world.seal(meter, by(port(world, meter), world.office.signer('supervisor')))],
  },
  {
    attack: 'the prepayment link, for the customer port',
    answer: 'refused role',
    with: (world, meter) => [world.seal(meter, by(port(world, meter), world.office.signer('marco')))],
  },
  {
    attack: 'an approver who proposes',
    answer: 'refused role',
    with: (world, meter) => [world.seal(meter, by(say(world, meter), world.office.signer('approver')))],
  },
  {
    attack: 'an operator who approves',
    answer: 'refused role',
    with(world, meter) {
      const bob = world.office.issued({ role: 'operator', person: 'bob' });
      return [world.seal(meter, by(cut(world, meter), world.office.signer('operator'), bob))];
    },
  },
  {
    attack: 'two systems, and no person',
    answer: 'refused role',
    with: (world, meter) => [
      world.seal(meter, by(cut(world, meter), world.office.signer('lopex'), world.office.signer('marco'))),
    ],
  },
];

/** Keys that are none of the office's people, or none of this tenant's. */
const SIGNERS: readonly (readonly [
  attack: string,
  signer: (world: ForgeWorld, meter: Meter) => SignerKey | Promise<SignerKey>,
])[] = [
  ['another tenant’s operator', ({ office }) => office.signer('operator', FARYS)],
  [
    'another tenant’s CA, which names an operator of this one',
    ({ office }) => office.acrossTenants(FARYS, ORES),
  ],
  ['an operator of an office that only looks the same', () => strangeOperator()],
  ['a certificate that a person issued', ({ office }) => office.belowPerson('operator')],
  ['a certificate of a CA below the issuing CA', ({ office }) => office.belowIssuing()],
  ['a person by the field CA of the tenant', ({ office }) => office.byFieldCa()],
  ['a field certificate as signer: the meter’s own', (_, { identity }) => signerOf(identity.sign)],
  [
    'a field certificate as signer: another meter’s',
    async (world) => signerOf((await world.meter()).identity.sign),
  ],
  ['the desk’s TLS key', ({ field }) => signerOfFiles(field.pki.layout.office.desk(ORES))],
  ['the front’s TLS key', ({ field }) => signerOfFiles(field.pki.layout.front)],
  [
    'the key with which a person calls the API',
    ({ office }) => {
      const { key, cert } = office.person('operator').tls;
      return signerOf({ key, certificate: cert });
    },
  ],
  [
    'a right certificate under another key',
    ({ office }) => ({
      privateKey: strangeOperator().privateKey,
      certificate: office.signer('operator').certificate,
    }),
  ],
  [
    'somebody whose certificate has expired',
    ({ office }) =>
      office.issued({ role: 'operator', person: 'old' }, { fromMs: -SEVERAL_HOURS_MS, throughMs: -60_000 }),
  ],
  [
    'somebody whose certificate is not valid yet',
    ({ office }) => office.issued({ role: 'operator', person: 'new' }, { fromMs: SEVERAL_HOURS_MS }),
  ],
];

export const UNTRUSTED: readonly Attack[] = SIGNERS.flatMap(([attack, signer]): readonly Attack[] => {
  const answer = attack.includes('under another key') ? 'refused signature' : 'refused signer';
  return [
    {
      attack: `signed by ${attack}`,
      answer,
      with: async (world, meter) => [world.seal(meter, by(port(world, meter), await signer(world, meter)))],
    },
    {
      attack: `approved by ${attack}`,
      answer,
      async with(world, meter) {
        const second = await signer(world, meter);
        return [world.seal(meter, by(cut(world, meter), world.office.signer('lopex'), second))];
      },
    },
  ];
});
