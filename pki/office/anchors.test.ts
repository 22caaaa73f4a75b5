import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  addOffice,
  createDevelopmentPki,
  type DevelopmentPki,
  loadDevelopmentPki,
} from '../development/development.ts';
import { type EnrolmentAnswer, parseEnrolmentAnswer } from '../enrolment/answer.ts';
import { type AcceptOptions, acceptAnswer, identityOf, rootFingerprint } from '../enrolment/answer-accept.ts';
import { answerEnrolment } from '../enrolment/answer-issue.ts';
import { documentText } from '../enrolment/request.ts';
import { checkEnrolmentRequest } from '../enrolment/request-check.ts';
import { beginEnrolment } from '../enrolment/request-pending.ts';
import { readDeviceIdentity } from '../identity.ts';
import { DAY_MS, FARYS, NOW_MS, ORES } from '../testing/field.ts';
import { officeTrustOf } from '../trust.ts';
import { type VouchedOffice, vouch } from './anchors.ts';
import { officeAnchors } from './development.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from './identity.ts';

/** Whoever carries the answer to an enrolment cannot make the device believe an office of his own. */

const folder = mkdtempSync(join(tmpdir(), 'hes-vouch-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const tenants = [ORES, FARYS];
const newPki = () =>
  createDevelopmentPki({ directory: join(folder, `pki-${++count}`), tenants, nowMs: NOW_MS });
const pki = newPki();
const clock = { nowMs: () => NOW_MS };
const options: AcceptOptions = { root: rootFingerprint(pki.root.pem), atMs: NOW_MS, development: true };
const code = (name: string) => expect.objectContaining({ code: name });

async function asked(by: DevelopmentPki = pki) {
  const file = join(folder, `device-${++count}`, 'identity.json');
  const { pending } = await beginEnrolment(file, { home: ORES, guests: [FARYS], root: null });
  const { answer } = answerEnrolment(by, checkEnrolmentRequest(pending.request), { nowMs: NOW_MS });
  return { file, pending, answer };
}
const { pending, answer } = await asked();
const office = answer.office!;
/** The attacker has a whole office of his own, with CAs that call themselves ores and farys. */
const attacker = newPki();
const theirs = attacker.office!;
const theirAnchors = officeAnchors(theirs, tenants);
const vouchedBy = (fields: DevelopmentPki): VouchedOffice['vouchers'] =>
  Object.fromEntries(
    tenants.map((tenant) => [tenant, vouch(fields.authorities.get(tenant)!, tenant, theirAnchors)]),
  );
const accept = (changed: VouchedOffice | undefined, more: Partial<AcceptOptions> = {}) =>
  identityOf({ ...answer, office: changed }, pending, { ...options, ...more });

const FORGED: readonly { readonly name: string; readonly code: string; readonly office: VouchedOffice }[] = [
  {
    name: 'of the attacker, with the vouchers of the right one',
    code: 'ERR_TRUST_AUTHORITY',
    office: { ...theirAnchors, vouchers: office.vouchers },
  },
  {
    name: 'of the attacker, vouched for by field CAs of his own',
    code: 'ERR_TRUST_AUTHORITY',
    office: { ...theirAnchors, vouchers: vouchedBy(attacker) },
  },
  {
    name: 'with an issuing CA of the attacker under the right root',
    code: 'ERR_TRUST_AUTHORITY',
    office: { ...office, issuers: theirAnchors.issuers },
  },
  {
    name: 'whose CAs have changed places',
    code: 'ERR_TRUST_AUTHORITY',
    office: { ...office, issuers: { ores: office.issuers['farys']!, farys: office.issuers['ores']! } },
  },
  {
    name: 'whose vouchers have changed places',
    code: 'ERR_TRUST_AUTHORITY',
    office: { ...office, vouchers: { ores: office.vouchers['farys']!, farys: office.vouchers['ores']! } },
  },
  {
    // A home that would command the meters of its guests.
    name: 'whose guest is vouched for by the home alone',
    code: 'ERR_TRUST_AUTHORITY',
    office: {
      ...office,
      vouchers: { ...office.vouchers, farys: vouch(pki.authorities.get(ORES)!, FARYS, office) },
    },
  },
  {
    name: 'without a voucher',
    code: 'ERR_TRUST_AUTHORITY',
    office: { ...office, vouchers: { ores: office.vouchers['ores']! } },
  },
  {
    name: 'with the field for an office',
    code: 'ERR_TRUST_ROOT',
    office: { ...office, root: answer.root },
  },
  {
    name: 'without one of its tenants',
    code: 'ERR_ENROL_ANSWER',
    office: { ...office, issuers: { ores: office.issuers['ores']! } },
  },
  { name: 'that is damaged', code: 'ERR_ENROL_ANSWER', office: { ...office, root: 'none' } },
];

describe('the office in the answer to an enrolment', () => {
  it.each(FORGED)('is refused $name', ({ office: forged, code: expected }) => {
    expect(() => accept(forged)).toThrow(code(expected));
  });

  it('is refused in production where it is of development, and once it has expired', () => {
    expect(() => accept(office, { development: false })).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    expect(() => accept(office, { atMs: NOW_MS + 30 * 365 * DAY_MS })).toThrow(/expired/);
  });

  it('is taken when each tenant’s field CA vouches for it, and believed from then on', async () => {
    const { file, answer: own } = await asked();
    acceptAnswer(file, documentText(own), options);
    const identity = readDeviceIdentity(file);
    expect(identity.office).toEqual(officeAnchors(pki.office!, tenants));
    const certificateOf = (of: DevelopmentPki) => {
      const place = of.layout.office.person(ORES, 'operator');
      return openOfficeIdentity(readOfficeIdentity(place.identity), readPassphrase(place.passphrase), {
        clock,
      }).signer.certificate;
    };
    const trust = officeTrustOf(identity, { development: true, clock });
    expect(trust.signer(certificateOf(pki))).toMatchObject({ tenant: ORES, person: 'operator' });
    expect(() => trust.signer(certificateOf(attacker))).toThrow(code('ERR_TRUST_ISSUER'));
  });

  it('may be left out by whoever carries it: then the device believes nobody', () => {
    expect(accept(undefined).office).toBeUndefined();
  });

  it('comes with the next answer where the register’s is older than the office', async () => {
    const own = newPki();
    rmSync(own.layout.office.directory, { recursive: true });
    const before = loadDevelopmentPki({ directory: own.layout.directory, nowMs: NOW_MS, development: true });
    const { pending: waiting, answer: without } = await asked(before);
    expect(without.office).toBeUndefined();
    const again = answerEnrolment(addOffice(before, NOW_MS), checkEnrolmentRequest(waiting.request), {
      nowMs: NOW_MS,
    });
    expect(again.again).toBe(true);
    const taken: EnrolmentAnswer = parseEnrolmentAnswer(documentText(again.answer));
    const identity = identityOf(taken, waiting, { ...options, root: rootFingerprint(own.root.pem) });
    expect(Object.keys(identity.office!.issuers)).toEqual([ORES, FARYS]);
  });
});
