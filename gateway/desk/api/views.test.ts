import { describe, expect, it } from 'vitest';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { newMeter } from '../registry/meter.ts';
import { viewOfMeter } from './views.ts';

const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;
const meter = newMeter({
  device: '00000000000000a1' as DeviceId,
  home: ORES,
  medium: 'electricity',
  channels: [
    { channel: 0, medium: 'electricity', owner: ORES },
    { channel: 2, medium: 'water', owner: FARYS },
  ],
});

describe('a meter as the API shows it', () => {
  it('has its state at the desk of its home tenant', () => {
    expect(viewOfMeter({ ...meter, airplaneSince: 1_795_000_000 }, ORES)).toMatchObject({
      tariffPlan: 'mono',
      creditMode: 'credit',
      breaker: 'closed',
      airplane: true,
      airplaneSince: '2026-11-18T11:06:40.000Z',
    });
  });

  it('has no state at the desk of a guest, who is not told of it', () => {
    const { home, channels, ...view } = viewOfMeter(meter, FARYS);
    expect({ home, owners: channels.map(({ owner }) => owner) }).toEqual({
      home: ORES,
      owners: [ORES, FARYS],
    });
    expect(view).toMatchObject({
      tariffPlan: null,
      creditMode: null,
      breaker: null,
      airplane: null,
      airplaneSince: null,
    });
  });
});
