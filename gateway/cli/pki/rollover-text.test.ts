import { describe, expect, it } from 'vitest';
import { pkiLayout } from '../../../pki/files/layout.ts';
import type { RolloverPlan } from '../../../pki/rollover/plan.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { finishedText, planText, switchWouldText } from './rollover-text.ts';

const layout = pkiLayout('/srv/ca/pki');
const PLAN: RolloverPlan = {
  version: 1,
  by: 'an',
  tenant: 'ores' as TenantId,
  kind: 'sealing',
  phase: 'placed',
  startedAtMs: 0,
  switchAtMs: 86_400_000,
  overlapMs: 100 * 86_400_000,
  finishAtMs: null,
  kid: { old: 'aaaa', new: 'bbbb' },
  ca: null,
  crl: null,
  files: [],
};
const CA = { old: 'c0'.repeat(20), new: 'c1'.repeat(20) };
const PLANS: readonly RolloverPlan[] = (['sealing', 'field', 'office'] as const).flatMap((kind) =>
  (['placed', 'switched'] as const).map((phase) => ({
    ...PLAN,
    kind,
    phase,
    kid: kind === 'office' ? null : PLAN.kid,
    ca: kind === 'sealing' ? null : CA,
    finishAtMs: phase === 'switched' ? 8_640_000_000 : null,
  })),
);

describe('what a roll-over tells its operator', () => {
  it('takes the keys that open readings to routers, and to nobody else', () => {
    for (const plan of PLANS) {
      const lines = [planText(plan, layout), finishedText(plan, layout)].join('\n').split('\n');
      for (const line of lines.filter((text) => text.includes('/sealing')))
        expect(line, `${plan.kind} ${plan.phase}`).not.toMatch(/front|desk/);
    }
    expect(planText(PLANS[0]!, layout)).toContain(
      '/srv/ca/pki/ores/sealing  to the routers, and nowhere else',
    );
  });

  it('names what to take where, for each kind and step', () => {
    const [, switched, field, , office] = PLANS.map((plan) => planText(plan, layout));
    expect(switched).toContain('/srv/ca/pki/field/ores/notice.cose');
    expect(field).toMatch(/field\/ores\/issuing\.crt .*to the front, and to every router and desk/);
    expect(office).toMatch(/office\/ores\/issuing\.crt .*to the desk/);
    expect(office).not.toContain('front');
    expect(finishedText(PLANS[1]!, layout)).toContain('shred');
  });

  it('takes nothing anywhere on the machine of a development PKI', () => {
    for (const plan of PLANS) expect(planText(plan)).not.toContain(' to the ');
    expect(finishedText(PLAN)).not.toContain('shred');
  });

  it('says of a switch what it would do, and when it would be refused', () => {
    const early = switchWouldText(PLAN, { nowMs: 0, now: false });
    expect(early).toContain('would be refused until 1970-01-02T00:00:00.000Z (--now: before its date)');
    const now = switchWouldText(PLAN, { nowMs: 0, now: true });
    expect(now).toContain('aaaa → bbbb');
    expect(now).toContain('destroyed from 1970-04-11T00:00:00.000Z on');
    for (const text of [early, now]) expect(text).toContain('Nothing was changed.');
    expect(switchWouldText(PLANS[1]!, { nowMs: 0, now: false })).toContain('in use already');
  });
});
