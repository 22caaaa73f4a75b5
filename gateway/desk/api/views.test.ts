import { describe, expect, it } from 'vitest';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { newMeter } from '../registry/meter.ts';
import { deskWorld, METER } from '../testing/world.ts';
import { viewOfCommand, viewOfMeter } from './views.ts';

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

describe('a command as the API shows it', () => {
  it('says whose refusal it was, also where meter and desk say the same code', async () => {
    const world = await deskWorld();
    const shown = async ({ id }: { readonly id: CommandId }) =>
      viewOfCommand((await world.desk.show(id)).stored);
    try {
      const first = world.command('read.now');
      await world.propose(first);
      expect(await shown(first)).toMatchObject({ state: 'queued', refusedBy: null });
      await world.desk.claim(METER);
      // Its button was pressed a moment ago, and the desk does not know yet.
      await world.desk.outcome({ device: METER, signed: world.answer(first, 'airplane') });
      expect(await shown(first)).toMatchObject({ state: 'refused', code: 'airplane', refusedBy: 'device' });
      const silence = world.command('airplane.on');
      const behind = world.command('read.now');
      await world.propose(silence);
      await world.approve(silence);
      await world.propose(behind);
      expect((await world.desk.claim(METER))!.command.id).toBe(silence.id);
      await world.says(silence);
      expect(await shown(behind)).toMatchObject({ state: 'refused', code: 'airplane', refusedBy: 'desk' });
    } finally {
      await world.close();
    }
  });
});
