import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COMMAND_TYPES, rowOf } from '../../protocol/command/table.ts';
import { verifyAudit } from './audit/verify.ts';
import { by, codeOf, type DeskWorld, deskWorld, deviceOf, METER, NOW_MS, ORES } from './testing/world.ts';

const HOUR_MS = 3_600_000;
let world: DeskWorld;
beforeEach(async () => {
  world = await deskWorld();
});
afterEach(() => world.close());

describe('a proposal', () => {
  it('is refused by role, and that is a row of the audit', async () => {
    for (const [name, type] of [
      ['bea', 'p1.set'],
      ['sue', 'p1.set'],
      ['marco', 'tariff.set'],
      ['lopex', 'clock.sync'],
    ] as const)
      expect(await codeOf(world.propose(world.command(type), name))).toBe('ERR_COMMAND_ROLE');
    expect(await world.store.auditRows({ after: 3, limit: 9 })).toMatchObject([
      { event: 'denied', actor: { name: 'bea' }, code: 'ERR_COMMAND_ROLE', to: null },
      { event: 'denied', actor: { name: 'sue' } },
      { event: 'denied', actor: { name: 'marco', kind: 'system' } },
      { event: 'denied', actor: { name: 'lopex' } },
    ]);
    expect((await world.desk.list({ limit: 9 })).items).toEqual([]);
  });

  it('is refused where its signature does not hold, and nobody is blamed for it', async () => {
    const signed = Buffer.from(world.signed(world.command('p1.set')));
    signed[signed.length - 1]! ^= 1;
    expect(await codeOf(world.desk.propose({ device: METER, signed }))).toBe('ERR_COMMAND_SIGNATURE');
    expect(await codeOf(world.desk.propose({ device: deviceOf(2), signed }))).toBe('ERR_COMMAND_SIGNATURE');
    expect(await world.events()).not.toContain('denied');
  });

  it('is refused for a meter that is not registered, over, or from a clock that is ahead', async () => {
    for (const [change, code] of [
      [{ device: deviceOf(9) }, 'ERR_DESK_METER'],
      [{ notBefore: NOW_MS / 1_000 - 60, expiry: NOW_MS / 1_000 }, 'ERR_DESK_EXPIRED'],
      [{ counter: NOW_MS + HOUR_MS }, 'ERR_DESK_AHEAD'],
    ] as const)
      expect(await codeOf(world.propose(world.command('p1.set', change)))).toBe(code);
  });

  it('is refused about a channel of somebody else', async () => {
    const valve = world.command('valve.arm', { arguments: { channel: 2, cause: 'works' } } as never);
    expect(await codeOf(world.propose(valve))).toBe('ERR_DESK_OWNER');
  });

  it('to cut for credit is refused in winter, also where winter begins with its validity', async () => {
    const cut = world.command('breaker.open');
    expect(await codeOf(world.propose(cut))).toBe('ERR_DESK_PROTECTED');
    world.clock.set(Date.parse('2027-10-31T12:00:00Z'));
    const tomorrow = Date.parse('2027-11-01T12:00:00Z') / 1_000;
    const later = world.command('breaker.open', { notBefore: tomorrow, expiry: tomorrow + 3_600 });
    expect(await codeOf(world.propose(later))).toBe('ERR_DESK_PROTECTED');
    expect(await codeOf(world.propose(world.command('breaker.open')))).toBe('none');
  });

  it('of an id that is taken is refused, and the same bytes are the same command', async () => {
    const command = world.command('p1.set');
    const first = await world.propose(command);
    const rows = (await world.store.auditHead()).n;
    // Signed anew: other bytes of a signature, the same command.
    expect(await world.propose(command)).toEqual(first);
    expect((await world.store.auditHead()).n).toBe(rows);
    expect(await codeOf(world.propose(world.command('read.now', { id: command.id })))).toBe(
      'ERR_DESK_CONFLICT',
    );
    expect(await codeOf(world.propose(command, 'bob'))).toBe('ERR_DESK_CONFLICT');
  });

  it('that is older than another of its signer about the same thing is refused: the meter would', async () => {
    const older = world.command('p1.set');
    const newer = world.command('p1.set');
    await world.propose(newer);
    expect(await codeOf(world.propose(older))).toBe('ERR_DESK_COUNTER');
    expect(await codeOf(world.propose(world.command('read.now', { counter: older.counter })))).toBe('none');
    expect(await codeOf(world.propose({ ...older }, 'bob'))).toBe('none');
  });

  it('beyond what is kept for one meter is refused, and others go on', async () => {
    await world.close();
    world = await deskWorld({ policy: { openPerDeviceMax: 3 } });
    for (let count = 0; count < 3; count++) await world.propose(world.command('read.now'));
    expect(await codeOf(world.propose(world.command('read.now')))).toBe('ERR_DESK_BUSY');
    expect(await codeOf(world.propose(world.command('read.now', { device: deviceOf(2) })))).toBe('none');
  });

  it('waits for its approval where its row is critical, for its device where it is not', async () => {
    world.clock.set(Date.parse('2027-07-01T12:00:00Z'));
    for (const type of COMMAND_TYPES) {
      const name = rowOf(type).propose.includes('operator') ? 'ann' : 'marco';
      const { state } = await world.propose(world.command(type), name);
      expect(state, type).toBe(rowOf(type).critical ? 'awaiting-approval' : 'queued');
    }
  });
});

describe('an approval', () => {
  it('is refused of whoever proposed, of whoever may not, and of other bytes', async () => {
    const command = world.command('limiter.set');
    await world.propose(command);
    expect(await codeOf(world.approve(command, 'ann', 'annToo'))).toBe('ERR_COMMAND_SAME_PERSON');
    expect(await world.store.auditRows({ after: 4, limit: 9 })).toMatchObject([
      { event: 'denied', actor: { name: 'ann', role: 'approver' }, code: 'ERR_COMMAND_SAME_PERSON' },
    ]);
    expect(await codeOf(world.approve(command, 'ann', 'bob'))).toBe('ERR_COMMAND_ROLE');
    expect(await codeOf(world.approve(command, 'bob', 'bea'))).toBe('ERR_DESK_CONFLICT');
    const other = world.command('limiter.set');
    expect(await codeOf(world.desk.approve({ id: command.id, signed: world.both(other) }))).toBe(
      'ERR_DESK_CONFLICT',
    );
    const edited = { ...command, arguments: { powerW: null } } as never;
    expect(await codeOf(world.desk.approve({ id: command.id, signed: world.both(edited) }))).toBe(
      'ERR_DESK_CONFLICT',
    );
    expect(await codeOf(world.desk.approve({ id: command.id, signed: world.signed(command) }))).toBe(
      'ERR_COMMAND_SIGNATURES',
    );
    expect(await codeOf(world.desk.approve({ id: other.id, signed: world.both(other) }))).toBe(
      'ERR_DESK_COMMAND',
    );
    expect((await world.desk.show(command.id)).stored.state).toBe('awaiting-approval');
  });

  it('is refused where the command ended meanwhile, or the meter went silent', async () => {
    const over = world.command('limiter.set');
    await world.propose(over);
    await world.desk.cancel({ id: over.id, by: by('ann') });
    expect(await codeOf(world.approve(over))).toBe('ERR_DESK_STATE');
    const late = world.command('limiter.set');
    await world.propose(late);
    world.clock.set(late.expiry * 1_000);
    expect(await codeOf(world.approve(late))).toBe('ERR_DESK_EXPIRED');
  });

  it('lets the command go to its device, with both signatures', async () => {
    const command = world.command('limiter.set');
    await world.propose(command);
    expect(await world.desk.claim(METER)).toBeUndefined();
    const approved = await world.approve(command);
    expect(approved).toMatchObject({ state: 'queued', person: 'ann', approver: 'bea' });
    expect(await world.approve(command)).toEqual(approved);
    expect((await world.approve(command, 'ann', 'ben').catch((error) => error)).code).toBe('ERR_DESK_STATE');
    const dispatch = await world.desk.claim(METER);
    expect(dispatch!.signed.length).toBeGreaterThan(world.signed(command).length + 400);
    expect((await world.desk.show(command.id)).command).toEqual(command);
  });
});

describe('quarantine', () => {
  const few = { person: 2, system: 3 };
  beforeEach(async () => {
    await world.close();
    const thresholds = Object.fromEntries(COMMAND_TYPES.map((type) => [type, few])) as never;
    world = await deskWorld({ policy: { thresholds } });
  });
  const proposing = async (
    count: number,
    type: 'read.now' | 'limiter.set' = 'read.now',
    name: 'ann' | 'bob' = 'ann',
  ) => {
    const commands = Array.from({ length: count }, () => world.command(type));
    const stored = [];
    for (const command of commands) stored.push(await world.propose(command, name));
    return { commands, states: stored.map(({ state }) => state) };
  };

  it('holds what is above the threshold of a person, a type and an hour', async () => {
    expect((await proposing(4)).states).toEqual(['queued', 'queued', 'quarantined', 'quarantined']);
    expect((await proposing(1, 'read.now', 'bob')).states).toEqual(['queued']);
    expect((await proposing(1, 'limiter.set')).states).toEqual(['awaiting-approval']);
    world.clock.advance(HOUR_MS + 61_000);
    expect((await proposing(1)).states).toEqual(['queued']);
  });

  it('is ended by another person with the role alone, and critical commands still need their second signature', async () => {
    const { commands, states } = await proposing(3, 'limiter.set');
    expect(states[2]).toBe('quarantined');
    const held = commands[2]!;
    expect(await codeOf(world.approve(held))).toBe('ERR_DESK_STATE');
    expect(await codeOf(world.desk.release({ id: held.id, by: by('ann') }))).toBe('ERR_DESK_ROLE');
    expect(await codeOf(world.desk.release({ id: held.id, by: by('sue') }))).toBe('ERR_DESK_ROLE');
    expect(await codeOf(world.desk.release({ id: held.id, by: { role: 'approver', person: 'ann' } }))).toBe(
      'ERR_DESK_SAME_PERSON',
    );
    expect((await world.desk.release({ id: held.id, by: by('bea'), reason: 'checked' })).state).toBe(
      'awaiting-approval',
    );
    expect((await world.approve(held)).state).toBe('queued');
    expect(await codeOf(world.desk.release({ id: held.id, by: by('bea') }))).toBe('ERR_DESK_STATE');
  });
});

describe('a command on its way', () => {
  it('is the only one of its device, the most urgent first', async () => {
    const message = world.command('display.message');
    const arm = world.command('breaker.arm');
    const elsewhere = world.command('read.now', { device: deviceOf(2) });
    for (const each of [message, arm, elsewhere]) await world.propose(each);
    expect((await world.desk.claim(METER))!.command).toMatchObject({
      id: arm.id,
      state: 'sent',
      attempts: 1,
    });
    expect(await world.desk.claim(METER)).toBeUndefined();
    expect((await world.desk.claim(deviceOf(2)))!.command.id).toBe(elsewhere.id);
    await world.says(arm);
    expect((await world.desk.claim(METER))!.command.id).toBe(message.id);
  });

  it('is not sent before it is valid, and never after', async () => {
    const notBefore = NOW_MS / 1_000 + 60;
    const command = world.command('read.now', { notBefore, expiry: notBefore + 60 });
    await world.propose(command);
    expect(await world.desk.claim(METER)).toBeUndefined();
    world.clock.set((notBefore + 60) * 1_000);
    expect(await world.desk.claim(METER)).toBeUndefined();
    expect((await world.desk.show(command.id)).stored.state).toBe('expired');
  });

  it('that certainly did not arrive waits again, as if it had never been sent', async () => {
    const command = world.command('read.now');
    await world.propose(command);
    await world.desk.claim(METER);
    expect(await world.desk.returned(command.id)).toMatchObject({ state: 'queued', attempts: 0 });
    world.clock.set(command.expiry * 1_000);
    expect(await world.desk.expire()).toBe(1);
    expect((await world.desk.show(command.id)).stored.state).toBe('expired');
  });

  it('whose answer comes before the word that it did not arrive is done', async () => {
    const command = world.command('read.now');
    await world.propose(command);
    await world.desk.claim(METER);
    await world.says(command);
    expect((await world.desk.returned(command.id)).state).toBe('executed');
  });

  it('without an answer is unknown, and lets the next one go', async () => {
    const silent = world.command('breaker.arm');
    const next = world.command('read.now');
    for (const each of [silent, next]) await world.propose(each);
    await world.desk.claim(METER);
    world.clock.advance(15 * 60_000);
    expect((await world.desk.claim(METER))!.command.id).toBe(next.id);
    expect((await world.desk.show(silent.id)).stored.state).toBe('unknown');
  });

  it('is held back by a guard that did not stand when it was proposed', async () => {
    world.clock.set(Date.parse('2027-10-31T12:00:00Z'));
    const cut = world.command('breaker.open');
    await world.propose(cut);
    await world.approve(cut);
    world.clock.set(Date.parse('2027-11-01T00:30:00Z'));
    expect(await world.desk.claim(METER)).toBeUndefined();
    expect((await world.desk.show(cut.id)).stored).toMatchObject({
      state: 'refused',
      code: 'protected',
      refusedBy: 'desk',
    });
  });
});

describe('an answer', () => {
  const sent = async (type: 'read.now' | 'p1.set' | 'breaker.arm' = 'read.now') => {
    const command = world.command(type);
    await world.propose(command);
    await world.desk.claim(METER);
    return command;
  };
  const stored = async (id: Parameters<DeskWorld['desk']['show']>[0]) => (await world.desk.show(id)).stored;

  it('is believed of its device alone', async () => {
    const command = await sent();
    const forged = (as: 'unknown' | 'impostor') =>
      codeOf(world.desk.outcome({ device: METER, signed: world.answer(command, null, { as }) }));
    expect(await forged('unknown')).toBe('ERR_TRUST_ISSUER');
    expect(await forged('impostor')).toBe('ERR_ENVELOPE_SIGNATURE');
    const elsewhere = { id: command.id, device: deviceOf(2) };
    expect(await codeOf(world.says(elsewhere))).toBe('ERR_DESK_COMMAND');
    const moved = world.answer(elsewhere);
    expect(await codeOf(world.desk.outcome({ device: METER, signed: moved }))).toBe('ERR_ENVELOPE_SIGNATURE');
    expect(await codeOf(world.says(world.command('read.now')))).toBe('ERR_DESK_COMMAND');
    expect((await stored(command.id)).state).toBe('sent');
  });

  it('is no execution of what waits for its approval', async () => {
    const command = world.command('limiter.set');
    await world.propose(command);
    await world.says(command);
    expect((await stored(command.id)).state).toBe('awaiting-approval');
  });

  it('ends the command, and what is said again or otherwise changes nothing', async () => {
    const command = await sent();
    const answer = world.answer(command, 'unsupported');
    expect(await world.desk.outcome({ device: METER, signed: answer })).toMatchObject({
      state: 'refused',
      code: 'unsupported',
      refusedBy: 'device',
    });
    const rows = (await world.store.auditHead()).n;
    await world.desk.outcome({ device: METER, signed: answer });
    await world.says(command);
    expect(await stored(command.id)).toMatchObject({ state: 'refused', code: 'unsupported', late: null });
    expect((await world.store.auditHead()).n).toBe(rows);
  });

  it('that it could not is tried again later, in its place, with a jitter', async () => {
    const command = await sent('p1.set');
    const behind = world.command('p1.set');
    await world.propose(behind);
    const busy = world.answer(command, 'busy');
    const waiting = await world.desk.outcome({ device: METER, signed: busy });
    expect(waiting).toMatchObject({ state: 'queued', code: 'busy', attempts: 1 });
    expect(waiting.retryAtMs).toBeGreaterThanOrEqual(NOW_MS + 5_000);
    expect(await world.desk.claim(METER)).toBeUndefined();
    const other = world.command('read.now');
    await world.propose(other);
    expect((await world.desk.claim(METER))!.command.id).toBe(other.id);
    await world.says(other);
    world.clock.set(waiting.retryAtMs!);
    expect((await world.desk.claim(METER))!.command).toMatchObject({ id: command.id, attempts: 2 });
    // The first answer once more, as a router that was killed passes it on: it is not the answer to the second.
    await world.desk.outcome({ device: METER, signed: busy });
    expect((await stored(command.id)).state).toBe('sent');
    expect(await world.says(command)).toMatchObject({ state: 'executed', code: null });
    expect((await world.desk.claim(METER))!.command.id).toBe(behind.id);
  });

  it('that it could not, again and again, fails in the end; and so does one that runs out of time', async () => {
    const command = await sent();
    for (let attempt = 1; attempt < 5; attempt++) {
      const { retryAtMs } = await world.says(command, 'busy', { time: NOW_MS / 1_000 + attempt });
      world.clock.set(retryAtMs!);
      await world.desk.claim(METER);
    }
    expect(await world.says(command, 'busy')).toMatchObject({ state: 'failed', code: 'busy', attempts: 5 });
    const late = await sent();
    await world.says(late, 'busy');
    world.clock.set(late.expiry * 1_000);
    await world.desk.expire();
    expect(await stored(late.id)).toMatchObject({ state: 'failed', code: 'busy' });
  });

  it('that comes too late is kept beside the state, once, and the registry follows it', async () => {
    const command = await sent('breaker.arm');
    world.clock.advance(15 * 60_000);
    await world.desk.expire();
    await world.says(command);
    await world.says(command, 'hardware');
    expect(await stored(command.id)).toMatchObject({
      state: 'unknown',
      late: { state: 'executed', code: null },
    });
    expect((await world.store.meter(METER))!.breaker).toBe('armed');
    expect((await world.events()).filter((event) => event === 'late-outcome')).toHaveLength(1);
  });
});

describe('airplane mode', () => {
  const airplane = async () => {
    const command = world.command('airplane.on');
    await world.propose(command);
    await world.approve(command);
    expect((await world.desk.claim(METER))!.command.id).toBe(command.id);
    return command;
  };

  it('ends what waits for the meter, and refuses what comes, with since when and how it ends', async () => {
    const command = await airplane();
    const queued = world.command('read.now');
    const pending = world.command('limiter.set');
    for (const each of [queued, pending]) await world.propose(each);
    await world.says(command);
    for (const { id } of [queued, pending])
      expect((await world.desk.show(id)).stored).toMatchObject({ state: 'refused', code: 'airplane' });
    const refusal = await world.propose(world.command('read.now')).catch((error) => error);
    expect(refusal).toMatchObject({
      code: 'ERR_DESK_AIRPLANE',
      context: { since: '2026-12-01T08:01:00.000Z', ends: expect.stringContaining('at the meter') },
    });
    expect(await codeOf(world.propose(world.command('read.now', { device: deviceOf(2) })))).toBe('none');
  });

  it('is over when the meter says so', async () => {
    await world.says(await airplane());
    world.clock.advance(HOUR_MS);
    await world.desk.airplaneEnded(METER, world.clock.nowMs() / 1_000);
    expect(await codeOf(world.propose(world.command('read.now')))).toBe('none');
    expect(await world.events()).toContain('airplane-ended');
  });

  it('is not for a meter in prepayment, also where it went there meanwhile', async () => {
    const silence = world.command('airplane.on');
    const activate = world.command('prepayment.activate');
    for (const each of [silence, activate]) {
      await world.propose(each);
      await world.approve(each);
    }
    expect((await world.desk.claim(METER))!.command.id).toBe(activate.id);
    await world.says(activate);
    expect(await world.desk.claim(METER)).toBeUndefined();
    expect((await world.desk.show(silence.id)).stored).toMatchObject({ state: 'refused', code: 'prepaid' });
    expect(await codeOf(world.propose(world.command('airplane.on')))).toBe('ERR_DESK_PREPAID');
  });
});

describe('a desk', () => {
  it('cancels what was not sent, for whoever may sign it', async () => {
    const command = world.command('read.now');
    await world.propose(command);
    expect(await codeOf(world.desk.cancel({ id: command.id, by: by('marco') }))).toBe('ERR_DESK_ROLE');
    expect((await world.desk.cancel({ id: command.id, by: by('bob'), reason: 'wrong meter' })).state).toBe(
      'cancelled',
    );
    const sent = world.command('read.now');
    await world.propose(sent);
    await world.desk.claim(METER);
    expect(await codeOf(world.desk.cancel({ id: sent.id, by: by('ann') }))).toBe('ERR_DESK_STATE');
  });

  it('tells each change once it is durable, in order, and chains a row for each', async () => {
    const command = world.command('limiter.set');
    await world.propose(command);
    await world.approve(command);
    await world.desk.claim(METER);
    await world.says(command);
    await Promise.resolve();
    expect(world.changes.map(({ state }) => state)).toEqual([
      'awaiting-approval',
      'queued',
      'sent',
      'executed',
    ]);
    const rows = await world.store.auditRows({ limit: 99 });
    expect(
      rows.filter(({ command: id }) => id === command.id).map(({ from, event, to }) => [from, event, to]),
    ).toEqual([
      ['proposed', 'needs-approval', 'awaiting-approval'],
      ['awaiting-approval', 'approved', 'queued'],
      ['queued', 'dispatched', 'sent'],
      ['sent', 'executed', 'executed'],
    ]);
    expect(rows.find(({ event }) => event === 'approved')!.actor).toEqual({
      kind: 'person',
      name: 'bea',
      role: 'approver',
    });
    expect(verifyAudit(rows, { tenant: ORES, known: [await world.store.auditHead()] }).faults).toEqual([]);
  });

  it('enters a meter once, keeps its state, and says when it was seen', async () => {
    const rows = (await world.store.auditHead()).n;
    const meter = (await world.store.meter(METER))!;
    const { device, home, medium, channels } = meter;
    await world.desk.register({ device, home, medium, channels, certificate: null }, 'desk');
    expect((await world.store.auditHead()).n).toBe(rows);
    await world.desk.seen(METER, NOW_MS);
    await world.desk.seen(deviceOf(9), NOW_MS);
    const certificate = Uint8Array.of(1, 2);
    await world.desk.register(
      { device, home, medium, channels, certificate, state: { breaker: 'open' } },
      by('ann'),
    );
    expect(await world.store.meter(METER)).toEqual({ ...meter, certificate, lastSeenMs: NOW_MS });
  });
});
