import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../../protocol/command/command.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { StoredCommand } from '../store/port.ts';
import { type DeskWorld, deskWorld, deviceOf, METER } from '../testing/world.ts';
import { Dispatcher } from './dispatcher.ts';
import type { Road, RoadAnswer } from './road.ts';

/** A front that a test plays: what it does with each question and each command. */
class PlayedRoad implements Road {
  readonly probed: DeviceId[] = [];
  readonly sent: DeviceId[] = [];
  onProbe: (device: DeviceId) => Promise<RoadAnswer> = async () => 'present';
  onSend: (device: DeviceId) => Promise<RoadAnswer> = async () => 'written';

  probe({ device }: { device: DeviceId }): Promise<RoadAnswer> {
    this.probed.push(device);
    return this.onProbe(device);
  }
  send({ device }: { device: DeviceId }): Promise<RoadAnswer> {
    this.sent.push(device);
    return this.onSend(device);
  }
}

const KEY = { kid: new Uint8Array(8), publicKey: new Uint8Array(65) };
const UNANSWERED_MAX = 4;

let world: DeskWorld;
let road: PlayedRoad;
let dispatcher: Dispatcher;
let counters: Counters;
let listener: (command: StoredCommand) => void;
beforeEach(async () => {
  listener = () => undefined;
  world = await deskWorld({ onChange: (command) => listener(command) });
  road = new PlayedRoad();
  counters = new Counters();
  dispatcher = new Dispatcher({
    desk: world.desk,
    store: world.store,
    road,
    recipientOf: () => KEY,
    clock: world.clock,
    random: seededRandom('dispatcher'),
    counters,
    log: silentLog,
    atOnceMax: 8,
    unansweredMax: UNANSWERED_MAX,
    walkPerSecond: 100,
  });
  listener = (command) => dispatcher.changed(command);
});
afterEach(async () => {
  await dispatcher.stop();
  await world.close();
});

/** Lets everything happen that waits for nothing but its turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 40; turn++) await new Promise((resolve) => setImmediate(resolve));
}
const propose = async (device: DeviceId = METER, type: CommandType = 'read.now'): Promise<Command> => {
  const command = world.command(type, { device });
  await world.propose(command);
  await settled();
  return command;
};
const stateOf = async ({ id }: Pick<Command, 'id'>): Promise<string> =>
  (await world.desk.show(id)).stored.state;
const attemptsOf = async ({ id }: Pick<Command, 'id'>): Promise<number> =>
  (await world.desk.show(id)).stored.attempts;
const dispatches = async (): Promise<number> =>
  (await world.events()).filter((event) => event === 'dispatched').length;

describe('a command for a device that is away', () => {
  it('is not claimed, whatever is queued for it, until it wakes', async () => {
    road.onProbe = async () => 'absent';
    const first = await propose();
    const second = await propose(METER, 'p1.set');
    expect([road.probed.length, road.sent.length, await dispatches()]).toEqual([1, 0, 0]);
    expect(await stateOf(first)).toBe('queued');
    await dispatcher.awake(METER);
    expect(road.sent).toEqual([METER]);
    expect([await stateOf(first), await stateOf(second)].sort()).toEqual(['queued', 'sent']);
  });

  it('goes back to the queue without an attempt where it went away in between', async () => {
    road.onSend = async () => 'absent';
    const command = await propose();
    expect([await stateOf(command), await attemptsOf(command), road.sent.length]).toEqual(['queued', 0, 1]);
    // Being queued again is no reason to ask again.
    await settled();
    expect([road.probed.length, road.sent.length]).toEqual([1, 1]);
  });
});

describe('a device that wakes', () => {
  it('has its command, or there is none, when the desk has answered', async () => {
    road.onProbe = async () => 'absent';
    const command = await propose();
    let written = false;
    road.onSend = async () => {
      await settled();
      written = true;
      return 'written';
    };
    await dispatcher.awake(METER);
    expect([written, await stateOf(command)]).toEqual([true, 'sent']);
    await dispatcher.awake(deviceOf(2));
    expect(road.sent).toEqual([METER]);
  });

  it('anew while a command is on its way to its old session, gets it in the new one', async () => {
    const old = Promise.withResolvers<RoadAnswer>();
    road.onSend = () => old.promise;
    const command = await propose();
    expect(road.sent).toEqual([METER]);
    road.onSend = async () => 'written';
    const awake = dispatcher.awake(METER);
    await settled();
    old.resolve('absent');
    await awake;
    expect([road.sent.length, await stateOf(command), await attemptsOf(command)]).toEqual([2, 'sent', 1]);
  });

  it('while it is being asked whether it is there is not taken for absent by the older answer', async () => {
    const probe = Promise.withResolvers<RoadAnswer>();
    road.onProbe = () => probe.promise;
    const command = await propose();
    const awake = dispatcher.awake(METER);
    probe.resolve('absent');
    await awake;
    await settled();
    expect(await stateOf(command)).toBe('sent');
    await world.says(command);
    await dispatcher.answered(METER);
    const next = await propose();
    expect([await stateOf(next), road.probed.length]).toEqual(['sent', 1]);
  });
});

describe('a device that answers', () => {
  it('gets the next of its commands before its answer is acknowledged, by priority', async () => {
    road.onProbe = async () => 'absent';
    const routine = await propose(METER, 'p1.set');
    const reading = await propose(METER, 'read.now');
    await dispatcher.awake(METER);
    const [first, second] = (await stateOf(routine)) === 'sent' ? [routine, reading] : [reading, routine];
    await world.says(first!);
    await dispatcher.answered(METER);
    expect([await stateOf(first!), await stateOf(second!), road.sent.length]).toEqual([
      'executed',
      'sent',
      2,
    ]);
  });

  it('before the front has said that it was written does not wait for that', async () => {
    const front = Promise.withResolvers<RoadAnswer>();
    road.onSend = () => front.promise;
    const command = await propose();
    const next = await propose(METER, 'p1.set');
    await world.says(command);
    road.onSend = async () => 'written';
    await dispatcher.answered(METER);
    expect([await stateOf(command), await stateOf(next)]).toEqual(['executed', 'sent']);
    // Whatever the front says in the end, what was executed stays so.
    front.resolve('absent');
    await settled();
    expect([await stateOf(command), await stateOf(next)]).toEqual(['executed', 'sent']);
  });
});

describe('a front', () => {
  it('that is busy with a device is left alone for a moment, then tried again', async () => {
    road.onSend = async () => 'busy';
    const command = await propose();
    expect([await stateOf(command), await attemptsOf(command), road.sent.length]).toEqual(['queued', 0, 1]);
    road.onSend = async () => 'written';
    world.clock.advance(10_000);
    dispatcher.start();
    await expect.poll(() => stateOf(command), { timeout: 4_000 }).toBe('sent');
  });

  it('that is frozen costs a few commands at most: all others stay queued', async () => {
    road.onProbe = async () => 'unsure';
    const commands = await Promise.all([1, 2, 3].map((number) => propose(deviceOf(number))));
    await settled();
    expect(await Promise.all(commands.map(stateOf))).toEqual(['queued', 'queued', 'queued']);
    expect(await dispatches()).toBe(0);
  });

  it('that freezes while it writes leaves that command sent, since nobody knows', async () => {
    road.onSend = async () => 'unsure';
    const command = await propose();
    expect([await stateOf(command), await attemptsOf(command)]).toEqual(['sent', 1]);
    // What was believed of others is forgotten with it: they are asked for before anything is claimed.
    await dispatcher.awake(deviceOf(2));
    world.clock.advance(16 * 60_000);
    dispatcher.start();
    await expect.poll(() => stateOf(command), { timeout: 4_000 }).toBe('unknown');
  });

  it('that is not there at all leaves them queued', async () => {
    road.onProbe = async () => 'present';
    road.onSend = async () => 'unreached';
    const command = await propose();
    expect([await stateOf(command), await attemptsOf(command)]).toEqual(['queued', 0]);
  });
});

describe('many devices', () => {
  const MANY = Array.from({ length: 12 }, (_, at) => deviceOf(16 + at));
  beforeEach(async () => {
    for (const device of MANY)
      await world.desk.register(
        {
          device,
          home: world.store.tenant,
          medium: 'electricity',
          channels: [{ channel: 0, medium: 'electricity', owner: world.store.tenant }],
          certificate: null,
        },
        'desk',
      );
  });

  it('are written to no faster than they answer', async () => {
    const commands: Command[] = [];
    for (const device of MANY) commands.push(await propose(device, 'p1.set'));
    expect(await dispatches()).toBe(UNANSWERED_MAX);
    for (const command of commands) {
      if ((await stateOf(command)) !== 'sent') continue;
      await world.says(command);
      await dispatcher.answered(command.device);
      await settled();
      const open = await world.store.openCounts();
      expect(open.sent ?? 0).toBeLessThanOrEqual(UNANSWERED_MAX);
    }
    for (const command of commands) {
      if ((await stateOf(command)) === 'sent') await world.says(command);
      await settled();
    }
    expect(await dispatches()).toBeGreaterThan(UNANSWERED_MAX);
  });

  it('are found by the walk where nobody told of them, such as after a restart', async () => {
    listener = () => undefined;
    const commands: Command[] = [];
    for (const device of MANY.slice(0, 3)) commands.push(await propose(device, 'p1.set'));
    expect(road.probed).toEqual([]);
    listener = (command) => dispatcher.changed(command);
    dispatcher.start();
    await expect
      .poll(async () => (await world.store.openCounts()).sent ?? 0, { timeout: 4_000 })
      .toBe(commands.length);
  });
});

describe('a meter whose key is not known', () => {
  it('is sent nothing: what waits for it stays in the queue', async () => {
    const blind = new Dispatcher({
      desk: world.desk,
      store: world.store,
      road,
      recipientOf: () => undefined,
      clock: world.clock,
      random: seededRandom('blind'),
      counters,
      log: silentLog,
      atOnceMax: 8,
      unansweredMax: UNANSWERED_MAX,
      walkPerSecond: 100,
    });
    listener = (command) => blind.changed(command);
    const command = await propose();
    await blind.awake(METER);
    expect([await stateOf(command), road.sent.length]).toEqual(['queued', 0]);
    expect(counters.get('dispatch.withoutKey')).toBeGreaterThan(0);
    await blind.stop();
  });
});
