import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { brokenRow } from '../ca/audit.ts';
import { openPki, tenantAuthorities } from '../ca/open.ts';
import { createDevelopmentPki, type DeviceIdentity, issueDevice } from '../development/development.ts';
import { pkiLayout } from '../files/layout.ts';
import { applyNotice, createTlsTrust, loadSealingKey, recipientOf } from '../trust.ts';
import { newKeyPair } from '../x509/certify.ts';
import { derOf } from '../x509/pem.ts';
import type { RolloverKind } from './plan.ts';
import {
  finishRollover,
  type RolloverContext,
  startRollover,
  switchRollover,
  tendRollover,
} from './rollover.ts';

const DAY_MS = 86_400_000;
const [ORES, FARYS] = ['ores' as TenantId, 'farys' as TenantId];
const home = mkdtempSync(join(tmpdir(), 'hes-rollover-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
let count = 0;
const code = (name: string) => expect.objectContaining({ code: name });
const START_MS = Date.now();

/** A development PKI, a device of it, and a clock that the test moves. */
function world() {
  const directory = join(home, `pki-${++count}`);
  const pki = createDevelopmentPki({ directory, tenants: [ORES, FARYS], nowMs: START_MS });
  const time = { nowMs: START_MS };
  const clock = { nowMs: () => time.nowMs };
  const open = () => openPki({ directory, nowMs: time.nowMs });
  const context: RolloverContext = { open, tenant: ORES, clock, by: 'test' };
  return {
    directory,
    layout: pkiLayout(directory),
    device: issueDevice(pki, { home: ORES, nowMs: START_MS }),
    time,
    clock,
    open,
    context,
  };
}
type World = ReturnType<typeof world>;

const begin = ({ context }: World, kind: RolloverKind, overlapMs = DAY_MS) =>
  startRollover(context, { kind, keep: (pem) => pem, leadMs: 60_000, overlapMs });
const told = ({ layout, time }: World, device: DeviceIdentity): DeviceIdentity =>
  applyNotice(device, readFileSync(layout.notice(ORES)), {
    tenant: ORES,
    atMs: time.nowMs,
    development: true,
  });
const tlsTrust = ({ layout }: World) =>
  createTlsTrust({
    root: readFileSync(layout.root.certificate, 'utf8'),
    issuers: [{ tenant: ORES, certificate: readFileSync(layout.issuing(ORES).certificate, 'utf8') }],
    crls: [readFileSync(layout.crl(ORES), 'utf8')],
    development: true,
  });
const at = <T>({ open, clock }: World, work: (authorities: ReturnType<typeof tenantAuthorities>) => T): T => {
  const authorities = tenantAuthorities(open(), ORES, clock);
  try {
    return work(authorities);
  } finally {
    authorities.register.close();
  }
};

describe('the roll-over of a sealing key', () => {
  const w = world();
  const { layout, time, context, device } = w;
  const plan = begin(w, 'sealing');
  const kid = plan.kid!;

  it('first puts the new key beside the old one, and tells nobody', () => {
    expect(plan).toMatchObject({ phase: 'placed', files: [], kid: { old: device.owners[ORES]!.kid } });
    for (const name of [kid.old, kid.new])
      expect(
        loadSealingKey(layout.sealing(ORES, name), { tenant: ORES, development: true }).kid,
      ).toBeDefined();
    expect(told(w, device).owners[ORES]!.kid).toBe(kid.old);
    expect(() => switchRollover(context)).toThrow(code('ERR_ROLLOVER_EARLY'));
    expect(() => begin(w, 'field')).toThrow(code('ERR_ROLLOVER_UNDER_WAY'));
    expect(() => finishRollover(context)).toThrow(code('ERR_ROLLOVER_EARLY'));
  });

  it('then tells devices of it, and gives it to new ones', () => {
    const before = told(w, device);
    time.nowMs += 60_000;
    expect(tendRollover(context).plan?.phase).toBe('switched');
    const after = told(w, before);
    expect(after.owners[ORES]!.kid).toBe(kid.new);
    const { certificate } = after.owners[ORES]!;
    recipientOf(certificate, { tenant: ORES, root: after.root, atMs: time.nowMs, development: true });
    expect(w.open().owners.get(ORES)!.kid).toBe(kid.new);
    expect(existsSync(layout.sealing(ORES, kid.old).key)).toBe(true);
  });

  it('in the end destroys the old key, and not before its date', () => {
    expect(() => finishRollover(context)).toThrow(code('ERR_ROLLOVER_EARLY'));
    time.nowMs += DAY_MS;
    expect(tendRollover(context).plan).toBeUndefined();
    expect(existsSync(layout.sealing(ORES, kid.old).key)).toBe(false);
    expect(existsSync(layout.rollover(ORES))).toBe(false);
    const { state } = at(w, ({ register }) =>
      register.certificates
        .list({ filter: { profile: 'sealing' }, limit: 9 })
        .find((record) => record.state === 'revoked'),
    )!;
    expect(state).toBe('revoked');
    const events = at(w, ({ register }) => {
      const rows = register.audit.rows(0, 1_000);
      expect(brokenRow(ORES, rows)).toBeUndefined();
      return rows.map(({ event }) => event).filter((event) => event.startsWith('rollover-'));
    });
    expect(events).toEqual(['rollover-started', 'rollover-switched', 'rollover-finished']);
    expect(() => finishRollover(context)).toThrow(code('ERR_ROLLOVER_NONE'));
  });
});

describe('the roll-over of the issuing CA of the field', () => {
  const w = world();
  const { layout, time, context } = w;
  const presentKey = readFileSync(layout.issuing(ORES).key, 'utf8');
  let device = w.device;
  const enter = () =>
    at(w, ({ field, register }) => {
      for (const which of ['tls', 'sign', 'agree'] as const)
        field.adopt(derOf('CERTIFICATE', device[which].certificate), 'test');
      register.devices.add({ device: device.device, home: ORES, guests: [] }, 'test');
    });

  it('first lets both be trusted, while the old one issues', () => {
    enter();
    begin(w, 'field');
    device = told(w, device);
    expect(
      tlsTrust(w).identity(derOf('CERTIFICATE', device.tls.certificate), { atMs: time.nowMs }).tenant,
    ).toBe(ORES);
    expect(readFileSync(layout.issuing(ORES).key, 'utf8')).toBe(presentKey);
    expect(at(w, ({ field }) => field.keyIds.size)).toBe(2);
  });

  it('then issues by the new one, and renews what the old one certified', () => {
    time.nowMs += 60_000;
    switchRollover(context);
    const before = device;
    device = told(w, device);
    expect(device.owners[ORES]!.kid).not.toBe(before.owners[ORES]!.kid);
    const { spki } = newKeyPair();
    const renewed = at(w, ({ field }) => {
      expect(field.issuer.certificate.subjectKeyId).toBe(
        w.open().authorities.get(ORES)!.certificate.subjectKeyId,
      );
      return field.renew({
        certificate: derOf('CERTIFICATE', device.tls.certificate),
        publicKey: spki,
        by: 'test',
      });
    });
    const trust = tlsTrust(w);
    for (const certificate of [renewed.certificate, derOf('CERTIFICATE', device.tls.certificate)])
      expect(trust.identity(certificate, { atMs: time.nowMs }).device).toBe(device.device);
    expect(trust.identity(renewed.certificate, { atMs: time.nowMs }).issuer).toBe(
      at(w, ({ field }) => field.keyId),
    );
  });

  it('takes back what either of them certified, on a list of its own', () => {
    const other = issueDevice(w.open(), { home: ORES, nowMs: time.nowMs });
    at(w, ({ field }) => {
      const { serial } = field.adopt(derOf('CERTIFICATE', other.tls.certificate), 'test');
      field.revoke(serial, { reason: 'keyCompromise', by: 'test' });
      field.revoke(field.adopt(derOf('CERTIFICATE', device.agree.certificate), 'test').serial, {
        reason: 'superseded',
        by: 'test',
      });
    });
    const trust = tlsTrust(w);
    expect(trust.revocations.size).toBe(2);
    expect(() => trust.identity(derOf('CERTIFICATE', other.tls.certificate), { atMs: time.nowMs })).toThrow(
      code('ERR_TRUST_REVOKED'),
    );
  });

  it('waits at its end for whoever uses the old one', () => {
    time.nowMs += DAY_MS;
    expect(tendRollover(context)).toMatchObject({ plan: { phase: 'switched' }, used: 1 });
    expect(() => finishRollover(context)).toThrow(code('ERR_ROLLOVER_USED'));
    const certificate = derOf('CERTIFICATE', device.sign.certificate);
    at(w, ({ field }) => field.renew({ certificate, publicKey: newKeyPair().spki, by: 'test' }));
    expect(tendRollover(context)).toEqual({ plan: undefined, used: 0 });
    for (const file of [layout.former(ORES).key, layout.former(ORES).certificate])
      expect(existsSync(file)).toBe(false);
    const tls = derOf('CERTIFICATE', w.device.tls.certificate);
    expect(() => tlsTrust(w).identity(tls, { atMs: time.nowMs })).toThrow(code('ERR_TRUST_ISSUER'));
    expect(at(w, ({ field }) => field.keyIds.size)).toBe(1);
  });
});

describe('the roll-over of the issuing CA of the office', () => {
  it('tells devices of the new one before it issues anybody, and of the old one until it ends', () => {
    const w = world();
    const { layout, time, context } = w;
    const { office: _, ...bare } = w.device;
    begin(w, 'office');
    const officeOf = (): number =>
      told(w, { ...bare, notices: {} }).office!.issuers[ORES]!.split('BEGIN').length - 1;
    expect(officeOf()).toBe(2);
    time.nowMs += 60_000;
    switchRollover(context);
    expect(officeOf()).toBe(2);
    time.nowMs += DAY_MS;
    finishRollover(context);
    expect(officeOf()).toBe(1);
    expect(existsSync(layout.office.former(ORES).key)).toBe(false);
  });
});
