import { describe, expect, it } from 'vitest';
import { NOTICE_BYTES_MAX } from '../../protocol/limits.ts';
import { signNotice } from '../../protocol/notice.ts';
import type { DeviceIdentity } from '../identity.ts';
import { officeTrustOf } from '../office/device.ts';
import { DAY_MS, DEVICE, FLUVIUS, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { makeOfficeIssuing, makeOfficeRoot, makePerson } from '../testing/office.ts';
import { applyNotice, noticeSealingKid, recipientOf } from '../trust.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { sealingUri } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';
import { signRaw } from '../x509/signature.ts';
import { makeNotice, type NoticeContent, nextNotice } from './notice.ts';

const root = makeRoot();
const old = makeIssuing(root, ORES, { notBeforeMs: NOW_MS - 400 * DAY_MS });
const present = makeIssuing(root, ORES, { notBeforeMs: NOW_MS - DAY_MS });
const fluvius = makeIssuing(root, FLUVIUS);
const officeRoot = makeOfficeRoot();
const office = makeOfficeIssuing(officeRoot, ORES);
const officeNext = makeOfficeIssuing(officeRoot, ORES);
const officeOfFluvius = makeOfficeIssuing(officeRoot, FLUVIUS);

const sealingOf = (issuer: typeof present, tenant = ORES, changes: object = {}) =>
  makeLeaf(issuer, {
    profile: PROFILES.sealing,
    subject: { commonName: sealingUri(tenant) },
    names: { uris: [sealingUri(tenant)] },
    ...changes,
  });
const oldSealing = sealingOf(old);
const sealing = sealingOf(present);
const leaf = makeLeaf(old);
const credential = { key: leaf.keyPem, certificate: leaf.pem };
const kidOf = (pem: string, tenant = ORES): string =>
  Buffer.from(recipientOf(pem, { tenant, root: root.certificatePem, atMs: NOW_MS }).kid).toString('hex');
const ownerOf = (key: typeof sealing, issuer: typeof present, tenant = ORES) => {
  const certificate = key.pem + issuer.certificatePem;
  return { kid: kidOf(certificate, tenant), certificate };
};
const fluviusOwner = ownerOf(sealingOf(fluvius, FLUVIUS), fluvius, FLUVIUS);

const identity: DeviceIdentity = {
  version: 1,
  device: DEVICE,
  home: ORES,
  guests: [FLUVIUS],
  tls: credential,
  sign: credential,
  agree: credential,
  root: root.certificatePem,
  owners: { ores: ownerOf(oldSealing, old), fluvius: fluviusOwner },
  office: {
    root: officeRoot.certificatePem,
    issuers: { ores: office.certificatePem, fluvius: officeOfFluvius.certificatePem },
  },
};

const content: NoticeContent = {
  tenant: ORES,
  sealing: sealing.pem,
  officeRoot: officeRoot.certificatePem,
  officeIssuers: [officeNext.certificatePem, office.certificatePem],
  revokedPeople: [],
};
const NUMBER = NOW_MS;
const signed = makeNotice(present, content, NUMBER);
const options = { tenant: ORES, atMs: NOW_MS };
const taken = applyNotice(identity, signed, options);
const code = (name: string) => expect.objectContaining({ code: name });

describe('a notice that is taken', () => {
  it('changes the key to seal to, the office and the number of its tenant, and nothing of another', () => {
    expect(taken.owners['ores']).toEqual(ownerOf(sealing, present));
    expect(taken.owners['fluvius']).toBe(fluviusOwner);
    expect(taken.office?.issuers['fluvius']).toBe(officeOfFluvius.certificatePem);
    expect(taken.notices).toEqual({ ores: NUMBER });
    expect(noticeSealingKid(signed)).toBe(taken.owners['ores']?.kid);
    const { owners: _1, office: _2, notices: _3, revokedPeople: _4, ...rest } = taken;
    const { owners: _5, office: _6, ...before } = identity;
    expect(rest).toEqual(before);
  });

  it('lets people of the old and the new office CA command', () => {
    const trust = officeTrustOf(taken, { clock: { nowMs: () => NOW_MS } });
    for (const ca of [office, officeNext]) expect(trust.signer(makePerson(ca).der).person).toBe('ann');
  });

  it('is the first of a device that has no owner and no office yet', () => {
    const { office: _, ...bare } = identity;
    const first = applyNotice({ ...bare, owners: {} }, signed, options);
    expect(first.owners).toEqual({ ores: taken.owners['ores'] });
    expect(Object.keys(first.office!.issuers)).toEqual(['ores']);
  });

  it('ends the commands of a person who was revoked, and of nobody else', () => {
    const [ann, other] = [makePerson(office), makePerson(office)];
    const clock = { nowMs: () => NOW_MS };
    const serial = parseCertificate(ann.der).serial;
    const told = applyNotice(
      taken,
      makeNotice(present, { ...content, revokedPeople: [serial] }, NUMBER + 1),
      options,
    );
    expect(officeTrustOf(taken, { clock }).signer(ann.der).person).toBe('ann');
    expect(() => officeTrustOf(told, { clock }).signer(ann.der)).toThrow(code('ERR_TRUST_REVOKED'));
    expect(officeTrustOf(told, { clock }).signer(other.der).person).toBe('ann');
  });
});

describe('a notice that is not taken changes nothing', () => {
  const refused = (bytes: Uint8Array, name: RegExp, about: Partial<typeof options> = {}): void => {
    const before = JSON.stringify(taken);
    expect(() => applyNotice(taken, bytes, { ...options, ...about })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(name) }),
    );
    expect(JSON.stringify(taken)).toBe(before);
  };
  const by = (
    issuer: typeof present,
    changes: Partial<NoticeContent> = {},
    number = NUMBER + 1,
  ): Uint8Array => makeNotice(issuer, { ...content, ...changes }, number);

  it('with the number of the last one, or a lower one: a key is not rolled back', () => {
    expect(applyNotice(taken, signed, options)).toBe(taken);
    const former = by(present, { sealing: sealingOf(present).pem }, NUMBER - 1);
    expect(applyNotice(taken, former, options)).toBe(taken);
  });

  it('of another tenant, on whichever topic it comes', () => {
    const foreign = makeNotice(
      fluvius,
      {
        ...content,
        tenant: FLUVIUS,
        sealing: fluviusOwner.certificate,
        officeIssuers: [officeOfFluvius.certificatePem],
      },
      NUMBER + 1,
    );
    refused(foreign, /^ERR_TRUST_AUTHORITY$/);
    const lone = { ...taken, guests: [] };
    expect(() => applyNotice(lone, foreign, { ...options, tenant: FLUVIUS })).toThrow(
      code('ERR_TRUST_TENANT'),
    );
  });

  it('with a forged signature, or altered in a bit', () => {
    const thief = makeIssuing(makeRoot(), ORES);
    const forged = signNotice(
      {
        tenant: ORES,
        number: NUMBER + 1,
        sealing: sealing.der,
        officeRoot: officeRoot.certificate.der,
        officeIssuers: [office.certificate.der],
        revokedPeople: [],
      },
      { certificate: present.certificate.der, sign: (bytes) => signRaw(thief.privateKey, bytes) },
    );
    refused(forged, /^ERR_ENVELOPE_SIGNATURE$/);
    const altered = Buffer.from(by(present));
    altered[altered.length - 1]! ^= 1;
    refused(altered, /^ERR_ENVELOPE_SIGNATURE$/);
  });

  it('of an issuing CA outside the root, or of no CA at all', () => {
    const stranger = makeIssuing(makeRoot(), ORES);
    refused(by(stranger, { sealing: sealingOf(stranger).pem }), /^ERR_TRUST_AUTHORITY$/);
    const device = { ...present, certificate: { ...present.certificate, der: leaf.der } };
    refused(by({ ...device, privateKey: leaf.privateKey }), /^ERR_TRUST_AUTHORITY$/);
  });

  it('of the issuing CA that was replaced: whoever has its key takes nobody back', () => {
    refused(by(old, { sealing: oldSealing.pem }), /^ERR_TRUST_NOTICE$/);
  });

  it('with the sealing certificate of another tenant, CA, use or time', () => {
    refused(by(present, { sealing: sealingOf(fluvius, FLUVIUS).pem }), /^ERR_TRUST_ISSUER$/);
    refused(by(present, { sealing: sealingOf(present, FLUVIUS).pem }), /^ERR_TRUST_PROFILE$/);
    refused(by(present, { sealing: oldSealing.pem }), /^ERR_TRUST_ISSUER$/);
    refused(by(present, { sealing: makeLeaf(present).pem }), /^ERR_TRUST_PROFILE$/);
    const over = sealingOf(present, ORES, { notAfterMs: NOW_MS - 1 });
    refused(by(present, { sealing: over.pem }), /^ERR_TRUST_EXPIRED$/);
  });

  it('with an office that is none: of another root, tenant or world', () => {
    const otherRoot = makeOfficeRoot();
    const other = {
      officeRoot: otherRoot.certificatePem,
      officeIssuers: [makeOfficeIssuing(otherRoot, ORES).certificatePem],
    };
    refused(by(present, other), /^ERR_TRUST_NOTICE$/);
    refused(by(present, { officeIssuers: [officeOfFluvius.certificatePem] }), /^ERR_TRUST_AUTHORITY$/);
    refused(by(present, { officeRoot: root.certificatePem }), /^ERR_TRUST_ROOT$/);
  });

  it('that is too large, of development, or not valid yet', () => {
    refused(new Uint8Array(NOTICE_BYTES_MAX + 1), /^ERR_NOTICE_CBOR$/);
    refused(Buffer.concat([by(present), new Uint8Array(1)]), /^ERR_ENVELOPE_SIGNED$/);
    refused(by(present), /^ERR_TRUST_NOT_YET_VALID$/, { atMs: NOW_MS - 30 * DAY_MS });
    const development = makeRoot({ development: true });
    expect(() => applyNotice({ ...taken, root: development.certificatePem }, by(present), options)).toThrow(
      code('ERR_TRUST_DEVELOPMENT'),
    );
  });
});

describe('the notice to publish', () => {
  it('stays what it is while nothing changes, and rises where something does', () => {
    const first = nextNotice(present, content, { before: undefined, nowMs: NOW_MS });
    const again = nextNotice(present, content, { before: first.bytes, nowMs: NOW_MS + DAY_MS });
    expect(again).toEqual({ bytes: first.bytes, number: NOW_MS, changed: false });
    const changed = { ...content, revokedPeople: ['4102'] };
    // The clock went back: the number does not.
    const next = nextNotice(present, changed, { before: first.bytes, nowMs: NOW_MS - DAY_MS });
    expect(next).toMatchObject({ number: NOW_MS + 1, changed: true });
  });

  it('is a new one where that in place cannot be read, or another CA signs', () => {
    expect(nextNotice(present, content, { before: Uint8Array.of(1), nowMs: NOW_MS }).changed).toBe(true);
    const byOld = makeNotice(old, { ...content, sealing: oldSealing.pem }, NOW_MS);
    expect(nextNotice(present, content, { before: byOld, nowMs: NOW_MS }).number).toBe(NOW_MS + 1);
  });
});
