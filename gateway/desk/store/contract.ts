import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { AuditEntry } from '../audit/row.ts';
import { verifyAudit } from '../audit/verify.ts';
import {
  isTerminal,
  OPEN_STATES,
  STORED_STATES,
  type StoredState,
  TERMINAL_STATES,
} from '../lifecycle/states.ts';
import { type Meter, newMeter } from '../registry/meter.ts';
import { auditEntry, deviceOf, idOf, MINUTE_MS, newCommand, ORES, T0, T0_MS } from './contract-samples.ts';
import type { DeskStore, NewCommand } from './port.ts';

/** A store for a test: empty at first, of the tenant `ores`. */
export interface StoreFixture {
  readonly store: DeskStore;
  /** Close it and open it again, as after a restart of the desk. */
  reopen(): Promise<DeskStore>;
  dispose(): Promise<void>;
}

const signedOf = (number: number) => ({
  payload: Uint8Array.of(3, number & 0xff),
  signed: Uint8Array.of(1, 2, number & 0xff),
});

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
}

/** What every implementation of the store port has to pass. */
export function storeContract(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`store contract: ${name}`, () => {
    let fixture: StoreFixture;
    let store: DeskStore;
    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterEach(() => fixture.dispose());

    const insert = (number: number, change: Partial<NewCommand> = {}) =>
      store.transaction((transaction) => transaction.insert(newCommand(number, change), signedOf(number)));
    const move = (number: number, from: StoredState, state: StoredState) =>
      store.transaction((transaction) =>
        transaction.change(idOf(number), from, {
          state,
          changedAtMs: T0_MS + 1,
          ...(state === 'sent' ? { attempts: 1, answerDueMs: T0_MS + MINUTE_MS } : {}),
        }),
      );

    it('undoes all of a transaction that fails, and nothing of those beside it', async () => {
      const [first, failing, last] = await Promise.allSettled([
        insert(1),
        store.transaction(async (transaction) => {
          await transaction.insert(newCommand(2), signedOf(2));
          await transaction.audit(auditEntry());
          await transaction.putMeter(newMeter({ device: deviceOf(1), home: ORES, medium: 'gas' }));
          throw new Error('in the middle');
        }),
        insert(3),
      ]);
      expect([first.status, failing.status, last.status]).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect(failing.status === 'rejected' && (failing.reason as Error).message).toBe('in the middle');
      const { items } = await store.commands({ limit: 10 });
      expect(items.map(({ id }) => id)).toEqual([idOf(3), idOf(1)]);
      expect(await store.auditHead()).toMatchObject({ n: 0 });
      expect(await store.meter(deviceOf(1))).toBeUndefined();
      expect(await store.evidence(idOf(2))).toBeUndefined();
    });

    it('lets each transaction see what those before it did', async () => {
      const seen = await Promise.all(
        Array.from({ length: 20 }, (_, number) =>
          store.transaction(async (transaction) => {
            const before = (await transaction.open(deviceOf(1))).length;
            await transaction.insert(newCommand(number + 1), signedOf(number));
            return before;
          }),
        ),
      );
      expect(seen).toEqual(Array.from({ length: 20 }, (_, number) => number));
    });

    it('takes an id once, and keeps what it was given, over a restart', async () => {
      const inserted = await insert(1, { reason: 'Crédit – 5 €' });
      expect(await insert(1, { type: 'read.now' })).toBeUndefined();
      store = await fixture.reopen();
      const kept = await store.command(idOf(1));
      expect(kept).toEqual(inserted);
      expect(kept).toEqual({
        ...newCommand(1, { reason: 'Crédit – 5 €' }),
        seq: kept!.seq,
        changedAtMs: T0_MS + 1,
        approver: null,
        attempts: 0,
        retryAtMs: null,
        answerDueMs: null,
        code: null,
        refusedBy: null,
        late: null,
      });
      const { payload, signed } = (await store.evidence(idOf(1)))!;
      expect([[...payload], [...signed]]).toEqual([
        [3, 1],
        [1, 2, 1],
      ]);
      expect(await store.command(idOf(9))).toBeUndefined();
    });

    it('changes a command only from the state that it is in', async () => {
      await insert(1);
      expect(await codeOf(move(1, 'awaiting-approval', 'queued'))).toBe('ERR_DESK_STORE');
      expect(await codeOf(move(9, 'queued', 'sent'))).toBe('ERR_DESK_STORE');
      expect(await move(1, 'queued', 'sent')).toMatchObject({ state: 'sent', attempts: 1 });
    });

    it('changes no terminal state, whoever asks', async () => {
      for (const [index, state] of TERMINAL_STATES.entries()) {
        await insert(index + 1);
        await move(index + 1, 'queued', state);
        for (const to of STORED_STATES.filter((each) => each !== state))
          expect(await codeOf(move(index + 1, state, to)), `${state} → ${to}`).toBe('ERR_DESK_STORE');
      }
    });

    it('keeps whose refusal it was', async () => {
      for (const [number, refusedBy] of [
        [1, 'device'],
        [2, 'desk'],
      ] as const) {
        await insert(number);
        const change = { state: 'refused', changedAtMs: T0_MS + 9, refusedBy } as const;
        await store.transaction((transaction) => transaction.change(idOf(number), 'queued', change));
        expect(await store.command(idOf(number))).toMatchObject({ state: 'refused', refusedBy });
      }
    });

    it('keeps one command in flight for a device', async () => {
      await insert(1);
      await insert(2);
      await insert(3, { device: deviceOf(2) });
      await move(1, 'queued', 'sent');
      expect(await codeOf(move(2, 'queued', 'sent'))).toBe('ERR_DESK_STORE');
      expect(await codeOf(move(3, 'queued', 'sent'))).toBe('none');
      await move(1, 'sent', 'executed');
      expect(await codeOf(move(2, 'queued', 'sent'))).toBe('none');
    });

    it('keeps what a device said, and what it said too late', async () => {
      await insert(1);
      await move(1, 'queued', 'unknown');
      await store.transaction((transaction) =>
        transaction.late(idOf(1), { state: 'failed', code: 'hardware' }, Uint8Array.of(7)),
      );
      expect(await store.command(idOf(1))).toMatchObject({
        state: 'unknown',
        late: { state: 'failed', code: 'hardware' },
      });
      expect([...(await store.evidence(idOf(1)))!.outcome!]).toEqual([7]);
    });

    it('keeps approver, code and attempts where a change does not name them, and clears its dates', async () => {
      await insert(1);
      const set = await store.transaction((transaction) =>
        transaction.change(
          idOf(1),
          'queued',
          {
            state: 'queued',
            changedAtMs: T0_MS,
            approver: 'bea',
            code: 'busy',
            attempts: 2,
            retryAtMs: T0_MS,
          },
          { signed: Uint8Array.of(9), outcome: Uint8Array.of(8) },
        ),
      );
      expect(set).toMatchObject({ approver: 'bea', code: 'busy', attempts: 2, retryAtMs: T0_MS });
      expect(await move(1, 'queued', 'failed')).toMatchObject({
        approver: 'bea',
        code: 'busy',
        attempts: 2,
        retryAtMs: null,
      });
      const evidence = (await store.evidence(idOf(1)))!;
      expect([[...evidence.signed], [...evidence.outcome!]]).toEqual([[9], [8]]);
    });

    it('finds the open commands of a device, the oldest first', async () => {
      for (const [index, state] of STORED_STATES.entries()) await insert(index + 1, { state });
      await insert(99, { device: deviceOf(2) });
      const open = await store.transaction((transaction) => transaction.open(deviceOf(1)));
      expect(open.map(({ state }) => state)).toEqual(STORED_STATES.filter((state) => !isTerminal(state)));
    });

    it('knows the highest counter of a signer about a thing, of whatever became of it', async () => {
      await insert(1, { counter: 50, state: 'refused' });
      await insert(2, { counter: 40 });
      await insert(3, { counter: 90, person: 'bea' });
      await insert(4, { counter: 91, type: 'read.now' });
      await insert(5, { counter: 92, device: deviceOf(2) });
      const highest = (person: string) =>
        store.transaction((transaction) => transaction.highestCounter(deviceOf(1), person, 'p1'));
      expect([await highest('ann'), await highest('bea'), await highest('eve')]).toEqual([50, 90, 0]);
    });

    it('finds what time may have ended, and no more than were asked for', async () => {
      for (const [index, state] of OPEN_STATES.entries()) {
        await insert(index + 1, { state, device: deviceOf(index), expiry: T0 + 10 });
        await insert(index + 11, { state, device: deviceOf(index + 10), expiry: T0 + 3_600 });
      }
      await insert(30, { device: deviceOf(30) });
      await move(30, 'queued', 'sent');
      const due = (nowMs: number, limit = 10) =>
        store.transaction((transaction) => transaction.due(nowMs, limit));
      const unsent = OPEN_STATES.filter((state) => state !== 'sent');
      expect((await due(T0_MS + 10_000)).map(({ state }) => state).sort()).toEqual([...unsent].sort());
      expect(await due(T0_MS + 9_999)).toEqual([]);
      expect((await due(T0_MS + MINUTE_MS)).map(({ id }) => id)).toContain(idOf(30));
      expect(await due(T0_MS + MINUTE_MS, 2)).toHaveLength(2);
    });

    it('counts proposals of an hour, by person and type, to the minute', async () => {
      const count = (person: string, atMs: number) =>
        store.transaction((transaction) => transaction.countProposal(person, 'p1.set', atMs));
      const since = (sinceMs: number, person = 'ann') =>
        store.transaction((transaction) => transaction.proposedSince(person, 'p1.set', sinceMs));
      for (const minute of [0, 0, 5, 70]) await count('ann', T0_MS + minute * MINUTE_MS);
      await count('bea', T0_MS);
      expect(await since(T0_MS)).toBe(4);
      expect(await since(T0_MS + MINUTE_MS)).toBe(2);
      expect(await since(T0_MS, 'bea')).toBe(1);
      expect(await since(T0_MS, 'eve')).toBe(0);
      await count('ann', T0_MS + 300 * MINUTE_MS);
      expect(await since(T0_MS)).toBe(1);
    });

    it('lists the newest first, page by page, whatever is asked for', async () => {
      for (let number = 1; number <= 40; number++)
        await insert(number, {
          device: deviceOf(number % 3),
          type: number % 2 === 0 ? 'p1.set' : 'read.now',
          person: number % 5 === 0 ? 'bea' : 'ann',
          state: number % 4 === 0 ? 'executed' : 'queued',
        });
      const filters = [
        {},
        { device: deviceOf(1) },
        { type: 'p1.set' },
        { person: 'bea' },
        { state: 'queued' },
        { state: 'executed' },
        { device: deviceOf(2), type: 'p1.set', person: 'ann', state: 'executed' },
        { state: 'queued', type: 'read.now' },
        { state: 'expired' },
      ] as const;
      const { items: all } = await store.commands({ limit: 100 });
      expect(all.map(({ seq }) => seq)).toEqual(all.map(({ seq }) => seq).toSorted((a, b) => b - a));
      for (const filter of filters) {
        const wanted = all.filter((command) =>
          Object.entries(filter).every(([key, value]) => command[key as keyof typeof command] === value),
        );
        const found: unknown[] = [];
        let before: number | null | undefined;
        while (before !== null) {
          const { items, next } = await store.commands({
            filter,
            limit: 7,
            ...(before === undefined ? {} : { before }),
          });
          expect(items.length).toBeLessThanOrEqual(7);
          found.push(...items);
          before = next;
        }
        expect(found).toEqual(wanted);
      }
    });

    it('names the devices with something to send: due, valid from now on, and with nothing in flight', async () => {
      await insert(1, { device: deviceOf(1) });
      await insert(2, { device: deviceOf(1) });
      await insert(3, { device: deviceOf(2), notBefore: T0 + 60 });
      await insert(4, { device: deviceOf(3) });
      await insert(5, { device: deviceOf(3) });
      await move(4, 'queued', 'sent');
      await insert(6, { device: deviceOf(4) });
      await store.transaction((transaction) =>
        transaction.change(idOf(6), 'queued', {
          state: 'queued',
          changedAtMs: T0_MS,
          retryAtMs: T0_MS + 1_000,
        }),
      );
      await insert(7, { device: deviceOf(5), state: 'quarantined' });
      const waiting = (nowMs: number, after?: DeviceId) =>
        store.waitingDevices({ nowMs, limit: 10, ...(after === undefined ? {} : { after }) });
      expect(await waiting(T0_MS)).toEqual([deviceOf(1)]);
      expect(await waiting(T0_MS + 60_000)).toEqual([deviceOf(1), deviceOf(2), deviceOf(4)]);
      expect(await waiting(T0_MS + 60_000, deviceOf(1))).toEqual([deviceOf(2), deviceOf(4)]);
      expect(await store.openCounts()).toEqual({ queued: 5, sent: 1, quarantined: 1 });
    });

    it('keeps meters with all that is known of them, and lists them by state', async () => {
      const meter: Meter = {
        ...newMeter({ device: deviceOf(2), home: ORES, medium: 'electricity' }),
        channels: [
          { channel: 0, medium: 'electricity', owner: ORES },
          { channel: 2, medium: 'water', owner: 'farys' as TenantId },
        ],
        certificate: Uint8Array.of(4, 5),
        lastSeenMs: T0_MS,
        creditMode: 'prepaid',
        tariffPlanned: { plan: 'bi', from: '2027-01-01' },
        airplaneSince: T0,
        breaker: 'armed',
        followedAt: { breaker: T0 },
      };
      const plain = newMeter({ device: deviceOf(1), home: ORES, medium: 'gas' });
      const other = {
        ...newMeter({ device: deviceOf(3), home: ORES, medium: 'gas' }),
        creditMode: 'prepaid',
      } as const;
      await store.transaction(async (transaction) => {
        for (const each of [meter, plain, other]) await transaction.putMeter({ ...each, breaker: 'open' });
        for (const each of [meter, plain, other]) await transaction.putMeter(each);
      });
      store = await fixture.reopen();
      expect(await store.meter(deviceOf(2))).toEqual(meter);
      const devices = async (filter: object, after?: DeviceId) =>
        (await store.meters({ filter, limit: 2, ...(after === undefined ? {} : { after }) })).items.map(
          ({ device }) => device,
        );
      expect(await devices({})).toEqual([deviceOf(1), deviceOf(2)]);
      expect(await devices({}, deviceOf(2))).toEqual([deviceOf(3)]);
      expect(await devices({ airplane: true })).toEqual([deviceOf(2)]);
      expect(await devices({ airplane: false, creditMode: 'prepaid' })).toEqual([deviceOf(3)]);
      expect(await devices({ creditMode: 'prepaid' })).toEqual([deviceOf(2), deviceOf(3)]);
    });

    it('withdraws a meter from every list and answer, and has it again as it was', async () => {
      const meter: Meter = {
        ...newMeter({ device: deviceOf(1), home: ORES, medium: 'gas' }),
        certificate: Uint8Array.of(1),
        creditMode: 'prepaid',
        airplaneSince: T0,
      };
      const withdraw = () => store.transaction((transaction) => transaction.withdrawMeter(deviceOf(1)));
      const put = (given: Meter) => store.transaction((transaction) => transaction.putMeter(given));
      expect(await withdraw()).toBe(false);
      await put(meter);
      expect([await withdraw(), await withdraw()]).toEqual([true, false]);
      store = await fixture.reopen();
      expect(await store.meter(deviceOf(1))).toBeUndefined();
      expect((await store.meters({ filter: { airplane: true }, limit: 10 })).items).toEqual([]);
      const kept = await store.transaction((transaction) => transaction.withdrawn(deviceOf(1)));
      expect(kept).toEqual(meter);
      await put(meter);
      expect(await store.meter(deviceOf(1))).toEqual(meter);
      expect(await store.transaction((transaction) => transaction.withdrawn(deviceOf(1)))).toBeUndefined();
      expect(await withdraw()).toBe(true);
    });

    it('compares EANs, keeps them over a restart, and says whether they changed', async () => {
      const put = (eans: Record<number, string>, device = deviceOf(1)) =>
        store.transaction((transaction) => transaction.putEans(device, eans));
      const own = '541448820000000017';
      const gas = '541448860000000013';
      expect(await put({ 0: own, 1: gas })).toBe(true);
      expect(await put({ 1: gas, 0: own })).toBe(false);
      expect(await put({ 0: own, 3: own }, deviceOf(2))).toBe(true);
      store = await fixture.reopen();
      const channels = (number: number, ean: string) => store.channelsWithEan(deviceOf(number), ean);
      expect(await channels(1, own)).toEqual([0]);
      expect(await channels(1, gas)).toEqual([1]);
      expect(await channels(2, own)).toEqual([0, 3]);
      expect(await channels(2, gas)).toEqual([]);
      expect(await put({ 0: gas })).toBe(true);
      expect([await channels(1, own), await channels(1, gas)]).toEqual([[], [0]]);
    });

    it('chains audit rows, over restarts too', async () => {
      const write = (reason: string) =>
        store.transaction((transaction) =>
          transaction.audit(auditEntry({ reason, digest: '1'.repeat(64), code: 'busy' })),
        );
      await write('one');
      await Promise.all([write('two'), write('three')]);
      store = await fixture.reopen();
      const last = await write('four');
      const rows = await store.auditRows({ limit: 10 });
      expect(rows.map(({ reason }) => reason)).toEqual(['one', 'two', 'three', 'four']);
      expect(rows.at(-1)).toEqual(last);
      expect(verifyAudit(rows, { tenant: ORES, known: [await store.auditHead()] }).faults).toEqual([]);
      expect((await store.auditRows({ after: 2, limit: 1 })).map(({ n }) => n)).toEqual([3]);
    });

    it('counts usage, and forgets what is over its time', async () => {
      const write = (atMs: number, change: Partial<AuditEntry> = {}) =>
        store.transaction((transaction) => transaction.audit(auditEntry({ atMs, ...change })));
      await write(T0_MS);
      await write(T0_MS);
      await write(T0_MS, {
        event: 'meter-registered',
        type: null,
        actor: { kind: 'desk', name: null, role: null },
      });
      const about = { event: 'accepted', type: 'p1.set', role: 'operator' };
      expect(await store.usage('day')).toEqual([
        { kind: 'day', period: '2026-12-01', ...about, count: 2 },
        { kind: 'day', period: '2026-12-01', event: 'meter-registered', type: null, role: null, count: 1 },
      ]);
      const days = async (kind: 'day' | 'week' | 'month') =>
        (await store.usage(kind)).filter(({ type }) => type !== null).map(({ period }) => period);
      await write(T0_MS + 30 * 86_400_000);
      expect(await days('day')).toEqual(['2026-12-01', '2026-12-31']);
      await write(T0_MS + 31 * 86_400_000);
      expect(await days('day')).toEqual(['2026-12-31', '2027-01-01']);
      expect(await days('week')).toEqual(['2026-W49', '2026-W53']);
      expect(await days('month')).toEqual(['2026-12', '2027-01']);
    });

    it('takes nothing once it is closed', async () => {
      await store.close();
      expect(await codeOf(insert(1))).toBe('ERR_DESK_STORE');
      expect(await codeOf(store.command(idOf(1)))).toBe('ERR_DESK_STORE');
    });
  });
}
