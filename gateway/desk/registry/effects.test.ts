import { describe, expect, it } from 'vitest';
import type { TenantId } from '../../../protocol/identity.ts';
import { SAMPLE_SECONDS, sampleCommand } from '../../../protocol/testing/command-samples.ts';
import { SAMPLE_DEVICE } from '../../../protocol/testing/samples.ts';
import { afterAirplane, afterExecution } from './effects.ts';
import { newMeter, tariffPlanOn } from './meter.ts';

const meter = newMeter({ device: SAMPLE_DEVICE, home: 'ores' as TenantId, medium: 'electricity' });

describe('an executed command', () => {
  it('of old does not undo what a newer one did', () => {
    const armed = afterExecution(meter, sampleCommand('breaker.arm'), SAMPLE_SECONDS);
    expect(armed.breaker).toBe('armed');
    expect(afterExecution(armed, sampleCommand('breaker.open'), SAMPLE_SECONDS - 1).breaker).toBe('armed');
    expect(afterExecution(armed, sampleCommand('breaker.open'), SAMPLE_SECONDS).breaker).toBe('open');
  });

  it('changes the plan on its effective day, not before', () => {
    const planned = afterExecution(meter, sampleCommand('tariff.set'), SAMPLE_SECONDS);
    expect([tariffPlanOn(planned, '2026-12-31'), tariffPlanOn(planned, '2027-01-01')]).toEqual([
      'mono',
      'bi',
    ]);
    const late = afterExecution(meter, sampleCommand('tariff.set'), SAMPLE_SECONDS + 40 * 86_400);
    expect(late).toMatchObject({ tariffPlan: 'bi', tariffPlanned: null });
  });

  it('keeps a planned change that has come when another is planned behind it', () => {
    const first = afterExecution(meter, sampleCommand('tariff.set'), SAMPLE_SECONDS);
    const second = sampleCommand('tariff.set', {
      arguments: { plan: 'mono', windows: [], from: '2027-06-01' },
    } as never);
    const both = afterExecution(first, second, SAMPLE_SECONDS + 40 * 86_400);
    expect([tariffPlanOn(both, '2027-03-01'), tariffPlanOn(both, '2027-06-01')]).toEqual(['bi', 'mono']);
  });

  it('silences a meter until that was ended at the meter, and a late word of it does not silence it again', () => {
    const silent = afterExecution(meter, sampleCommand('airplane.on'), SAMPLE_SECONDS);
    expect(silent.airplaneSince).toBe(SAMPLE_SECONDS);
    expect(afterAirplane(silent, SAMPLE_SECONDS - 1).airplaneSince).toBe(SAMPLE_SECONDS);
    const back = afterAirplane(silent, SAMPLE_SECONDS + 60);
    expect(back.airplaneSince).toBeNull();
    expect(afterExecution(back, sampleCommand('airplane.on'), SAMPLE_SECONDS).airplaneSince).toBeNull();
  });

  it('that changes nothing of this leaves the meter as it was', () => {
    expect(afterExecution(meter, sampleCommand('read.now'), SAMPLE_SECONDS)).toBe(meter);
  });
});
