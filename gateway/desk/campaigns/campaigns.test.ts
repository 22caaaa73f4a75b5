import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { signCommand } from '../../../protocol/command/signed.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { verifyAudit } from '../audit/verify.ts';
import { by, codeOf, ORES } from '../testing/world.ts';
import { signManifest } from './manifest.ts';
import { campaignWorld, meterOf } from './testing/world.ts';

type World = Awaited<ReturnType<typeof campaignWorld>>;
let w: World;
beforeEach(async () => {
  w = await campaignWorld(20);
});
afterEach(() => w.world.close());

const auditEvents = async () =>
  (await w.world.events()).filter((event) => event.startsWith('campaign') || event === 'denied');

describe('a campaign is uploaded', () => {
  it('not without the manifest’s own signer, and not by a role that may not propose the type', async () => {
    const made = w.make();
    expect(await codeOf(w.campaigns.submit({ proposal: made.proposal, by: by('bob') }))).toBe(
      'ERR_CAMPAIGN_ROLE',
    );
    const sues = w.make({ by: 'sue' });
    expect(await codeOf(w.campaigns.submit({ proposal: sues.proposal, by: by('sue') }))).toBe(
      'ERR_COMMAND_ROLE',
    );
  });

  it('not for another tenant, whatever its manifest says', async () => {
    const made = w.make({ change: { tenant: 'resa' as TenantId } });
    expect(await codeOf(w.campaigns.submit({ proposal: made.proposal, by: by('ann') }))).toBe(
      'ERR_ENVELOPE_SIGNATURE',
    );
  });

  it('not with an approval in the place of a proposal', async () => {
    const { manifest } = w.make();
    const proposal = signManifest(manifest, 'approve', w.world.signers.ann);
    expect(await codeOf(w.campaigns.submit({ proposal, by: by('ann') }))).toBe('ERR_ENVELOPE_SIGNATURE');
  });

  it('in chunks that go on where the last one ended, and may come twice', async () => {
    const { proposal, items } = w.make();
    const { id } = await w.campaigns.submit({ proposal, by: by('ann') });
    const send = (from: number, to: number) =>
      w.campaigns.upload({ id, from, items: items.slice(from, to), by: by('ann') });
    expect((await send(0, 8)).received).toBe(8);
    expect(await codeOf(send(9, 12))).toBe('ERR_CAMPAIGN_GAP');
    expect((await send(0, 8)).received).toBe(8);
    expect((await send(4, 12)).received).toBe(12);
    expect((await w.campaigns.submit({ proposal, by: by('ann') })).received).toBe(12);
    expect((await send(12, 20)).state).toBe('awaiting-approval');
    expect((await send(12, 20)).state).toBe('awaiting-approval');
  });

  it('not by another person, with another command in a place that is taken, or with more than it counts', async () => {
    const { proposal, items } = w.make();
    const { id } = await w.campaigns.submit({ proposal, by: by('ann') });
    const send = (from: number, given: typeof items, name: 'ann' | 'bob' = 'ann') =>
      w.campaigns.upload({ id, from, items: given, by: by(name) });
    expect(await codeOf(send(0, items.slice(0, 5), 'bob'))).toBe('ERR_CAMPAIGN_ROLE');
    await send(0, items.slice(0, 5));
    expect(await codeOf(send(4, [items[5]!]))).toBe('ERR_CAMPAIGN_COMMAND');
    expect(await codeOf(send(5, [...items.slice(5), ...w.make({ count: 1 }).items]))).toBe(
      'ERR_CAMPAIGN_COMMAND',
    );
  });

  it.each([
    ['another type', () => w.make({ type: 'read.now', count: 1 }).items[0]!],
    ['another signer', () => w.make({ by: 'bob', count: 1 }).items[0]!],
    [
      'another validity',
      () => {
        const command = w.world.command('p1.set', { device: meterOf(0) });
        return {
          device: meterOf(0),
          signed: signCommand({
            command: { ...command, expiry: command.expiry - 1 },
            signer: w.world.signers.ann,
          }),
        };
      },
    ],
  ])('not with a command of %s', async (_, make) => {
    const { proposal } = w.make();
    const { id } = await w.campaigns.submit({ proposal, by: by('ann') });
    expect(await codeOf(w.campaigns.upload({ id, from: 0, items: [make()], by: by('ann') }))).toBe(
      'ERR_CAMPAIGN_COMMAND',
    );
  });

  it('not with one device twice', async () => {
    const { proposal, items } = w.make({ devices: [meterOf(1), meterOf(2), meterOf(1)] });
    const { id } = await w.campaigns.submit({ proposal, by: by('ann') });
    expect(await codeOf(w.campaigns.upload({ id, from: 0, items, by: by('ann') }))).toBe(
      'ERR_CAMPAIGN_COMMAND',
    );
  });

  it('and has ended where its commands are not those of its manifest', async () => {
    const { proposal } = w.make();
    const other = w.make();
    const { id } = await w.campaigns.submit({ proposal, by: by('ann') });
    const after = await w.campaigns.upload({ id, from: 0, items: other.items, by: by('ann') });
    expect([after.state, after.code]).toEqual(['stopped', 'ERR_CAMPAIGN_MANIFEST']);
  });

  it('not beyond as many as a desk keeps open', async () => {
    for (let number = 0; number < 16; number += 1)
      await w.campaigns.submit({ proposal: w.make({ count: 1 }).proposal, by: by('ann') });
    expect(await codeOf(w.campaigns.submit({ proposal: w.make().proposal, by: by('ann') }))).toBe(
      'ERR_CAMPAIGN_BUSY',
    );
  });
});

describe('a campaign is approved', () => {
  it('not by whoever submitted it, under whatever role, and by nobody without the role', async () => {
    const made = w.make();
    const { id } = await w.upload(made);
    expect(await codeOf(w.approve(id, made.manifest, 'annToo'))).toBe('ERR_CAMPAIGN_SAME_PERSON');
    expect(await codeOf(w.approve(id, made.manifest, 'ann'))).toBe('ERR_CAMPAIGN_ROLE');
    expect(await codeOf(w.approve(id, made.manifest, 'bob'))).toBe('ERR_CAMPAIGN_ROLE');
    expect(await codeOf(w.approve(id, made.manifest, 'sue'))).toBe('ERR_CAMPAIGN_ROLE');
    await w.settle();
    expect(await w.wake(w.devices)).toBe(0);
    expect(await w.show(id)).toMatchObject({ state: 'awaiting-approval', ready: 20, open: 0 });
    expect(await auditEvents()).toEqual([
      'campaign-submitted',
      'campaign-uploaded',
      'denied',
      'denied',
      'denied',
      'denied',
    ]);
  });

  it('not with another manifest than was submitted', async () => {
    const made = w.make();
    const { id } = await w.upload(made);
    const wider = { ...made.manifest, errorLimitPermille: 1_000 };
    expect(await codeOf(w.approve(id, wider))).toBe('ERR_CAMPAIGN_MANIFEST');
    expect((await w.show(id)).state).toBe('awaiting-approval');
  });

  it('not before its commands are there, and not after they ended', async () => {
    const early = w.make();
    const { id } = await w.campaigns.submit({ proposal: early.proposal, by: by('ann') });
    expect(await codeOf(w.approve(id, early.manifest))).toBe('ERR_CAMPAIGN_STATE');
    const late = w.make();
    const uploaded = await w.upload(late);
    w.world.clock.set(late.manifest.expiry * 1_000);
    expect(await codeOf(w.approve(uploaded.id, late.manifest))).toBe('ERR_DESK_EXPIRED');
    await w.settle();
    expect((await w.show(uploaded.id)).state).toBe('expired');
    expect((await w.show(id)).state).toBe('expired');
  });

  it('runs then beyond the thresholds of a person, which the same commands by themselves do not', async () => {
    const thresholds = { person: 3, system: 3 };
    await w.world.close();
    w = await campaignWorld(20, {
      policy: { thresholds: new Proxy({}, { get: () => thresholds }) as never },
    });
    const { id } = await w.running();
    for (let round = 0; round < 4; round += 1) {
      await w.wake(w.devices);
      await w.settle();
    }
    expect(await w.show(id)).toMatchObject({ state: 'done', done: 20 });
    const alone = w.make();
    const states: string[] = [];
    for (const item of alone.items) states.push((await w.world.desk.propose(item)).state);
    expect(states.filter((state) => state === 'quarantined')).toHaveLength(17);
  });

  it('asks for the approver’s own signature on each command of a critical type', async () => {
    const made = w.make({ type: 'airplane.on' });
    const { id } = await w.upload(made);
    expect(await codeOf(w.approve(id, made.manifest))).toBe('ERR_CAMPAIGN_SIGNATURES');
    const signed = w.countersigned(made.items);
    const sign = (from: number, items: typeof signed, name: 'bea' | 'ben' | 'annToo' = 'bea') =>
      w.campaigns.countersign({ id, from, items, by: by(name) });
    expect(await codeOf(sign(0, w.countersigned(made.items, 'annToo'), 'annToo'))).toBe(
      'ERR_CAMPAIGN_SAME_PERSON',
    );
    // Somebody else's signatures, or those of other commands, are not his.
    expect(await codeOf(sign(0, w.countersigned(made.items, 'ben')))).toBe('ERR_CAMPAIGN_COMMAND');
    expect(await codeOf(sign(0, [signed[1]!]))).toBe('ERR_CAMPAIGN_COMMAND');
    await sign(0, signed.slice(0, 12));
    expect(await codeOf(sign(13, signed.slice(13)))).toBe('ERR_CAMPAIGN_GAP');
    expect(await codeOf(w.approve(id, made.manifest))).toBe('ERR_CAMPAIGN_SIGNATURES');
    // Another approver begins anew.
    expect((await sign(0, w.countersigned(made.items, 'ben').slice(0, 3), 'ben')).countersigned).toBe(3);
    expect((await sign(0, signed)).countersigned).toBe(20);
    expect(await codeOf(w.approve(id, made.manifest, 'ben'))).toBe('ERR_CAMPAIGN_SIGNATURES');
    await w.approve(id, made.manifest);
    await w.settle();
    expect(await w.wake(w.devices)).toBe(2);
    const { items } = await w.store.commands({ filter: { type: 'airplane.on' }, limit: 10 });
    expect(items.map(({ state, person, approver }) => [state, person, approver])).toEqual([
      ['executed', 'ann', 'bea'],
      ['executed', 'ann', 'bea'],
    ]);
  });
});

describe('a campaign runs', () => {
  it('in waves, each once the one before has ended', async () => {
    const { id } = await w.running();
    expect(await w.show(id)).toMatchObject({ wave: 0, ready: 18, open: 2 });
    expect(await w.wake(w.devices)).toBe(2);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ wave: 1, ready: 13, open: 5, done: 2 });
    expect(await w.wake(w.devices.slice(0, 5))).toBe(3);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ wave: 1, ready: 13, open: 2 });
    await w.wake(w.devices);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ wave: 2, ready: 0, open: 13 });
    await w.wake(w.devices);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'done', done: 20 });
    expect(await auditEvents()).toEqual([
      'campaign-submitted',
      'campaign-uploaded',
      'campaign-approved',
      'campaign-wave',
      'campaign-wave',
      'campaign-done',
    ]);
    expect(verifyAudit(await w.store.auditRows({ limit: 500 }), { tenant: ORES }).faults).toEqual([]);
  });

  it('and stops by itself above its error limit; only an approver lets it go on', async () => {
    const { id } = await w.running();
    await w.wake(w.devices, () => 'unsupported');
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'halted', code: 'error-rate', failed: 2, ready: 18 });
    expect(await codeOf(w.campaigns.resume({ id, by: by('ann') }))).toBe('ERR_CAMPAIGN_ROLE');
    expect(await codeOf(w.campaigns.resume({ id, by: by('annToo') }))).toBe('ERR_CAMPAIGN_SAME_PERSON');
    await w.settle();
    expect(await w.wake(w.devices)).toBe(0);
    await w.campaigns.resume({ id, by: by('bea'), reason: 'known firmware' });
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'running', wave: 1, open: 5 });
    expect(await w.wake(w.devices)).toBe(5);
  });

  it('and holds what waits in the queue when it stops by itself', async () => {
    const { id } = await w.running();
    await w.wake(w.devices);
    await w.settle();
    await w.wake(w.devices.slice(2, 4), () => 'unsupported');
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'halted', open: 3, failed: 2 });
    expect(await w.wake(w.devices)).toBe(0);
    await w.campaigns.resume({ id, by: by('bea') });
    expect(await w.wake(w.devices)).toBe(3);
  });

  it('stops for meters that stay silent beyond the time of a wave', async () => {
    const { id } = await w.running();
    await w.wake(w.devices.slice(0, 1));
    await w.settle();
    expect(await w.show(id)).toMatchObject({ wave: 0, open: 1 });
    w.world.clock.advance(3_600_000);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'halted', code: 'silent' });
    await w.campaigns.resume({ id, by: by('bea') });
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'running', wave: 1, open: 6 });
  });

  it('is paused at once, for what waits in the queue too, and resumed', async () => {
    const { id } = await w.running();
    await w.wake(w.devices);
    await w.settle();
    expect(await codeOf(w.campaigns.pause({ id, by: by('sue') }))).toBe('ERR_CAMPAIGN_ROLE');
    await w.campaigns.pause({ id, by: by('bob') });
    expect(await w.wake(w.devices)).toBe(0);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'paused', open: 5, ready: 13 });
    // Other commands for those meters go on.
    const other = w.world.command('display.message', { device: w.devices[3]! });
    await w.world.propose(other, 'bob');
    expect((await w.world.desk.claim(w.devices[3]!))?.command.id).toBe(other.id);
    await w.world.says(other);
    await w.campaigns.resume({ id, by: by('ann') });
    expect(await w.wake(w.devices)).toBe(5);
  });

  it('is stopped: what was not sent is taken back, what was sent ends by itself', async () => {
    const { id } = await w.running();
    await w.wake(w.devices);
    await w.settle();
    const sent = (await w.world.desk.claim(w.devices[3]!))!;
    await w.campaigns.stop({ id, by: by('bob'), reason: 'wrong list' });
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopping', ready: 0, open: 1, skipped: 17, done: 2 });
    await w.world.says(sent.command);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopped', open: 0, skipped: 17, done: 3 });
    expect(await codeOf(w.campaigns.resume({ id, by: by('bea') }))).toBe('ERR_CAMPAIGN_STATE');
  });

  it('takes back what came back from its way after it was stopped', async () => {
    const { id } = await w.running();
    const sent = (await w.world.desk.claim(w.devices[0]!))!;
    await w.campaigns.stop({ id, by: by('ann') });
    await w.settle();
    await w.world.desk.returned(sent.command.id);
    expect(await w.wake(w.devices)).toBe(0);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopped', skipped: 20 });
  });

  it('skips meters that went into airplane mode, and counts those that the desk refuses', async () => {
    const on = w.world.command('airplane.on', { device: w.devices[0]! });
    await w.world.propose(on, 'bob');
    await w.world.approve(on, 'bob', 'bea');
    await w.world.desk.claim(w.devices[0]!);
    await w.world.says(on);
    const unknown = [...w.devices.slice(0, 5), 'ffffffffffffffff' as never];
    const { id } = await w.running({ devices: unknown, change: { waves: [], errorLimitPermille: 500 } });
    await w.wake(w.devices);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'done', done: 4, skipped: 1, failed: 1 });
    const results = await w.campaigns.results(id, { after: -1, limit: 10 });
    expect(results.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['rejected', 'ERR_DESK_AIRPLANE'],
      ...Array(4).fill(['executed', null]),
      ['rejected', 'ERR_DESK_METER'],
    ]);
  });

  it('ends with its commands where their validity is over', async () => {
    const { id, made } = await w.running();
    await w.wake(w.devices.slice(0, 1));
    w.world.clock.set(made.manifest.expiry * 1_000);
    await w.world.desk.expire();
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopped', code: 'expired', done: 1, failed: 19 });
  });

  it('makes way for a newer command of its signer about the same thing', async () => {
    const made = w.make({ change: { errorLimitPermille: 1_000 } });
    const { id } = await w.upload(made);
    await w.world.propose(w.world.command('p1.set', { device: w.devices[0]! }));
    await w.approve(id, made.manifest);
    await w.settle();
    const [first] = await w.campaigns.results(id, { after: -1, limit: 1 });
    expect(first).toMatchObject({ outcome: 'rejected', code: 'ERR_DESK_COUNTER' });
  });
});

describe('a campaign is repeated', () => {
  it('for those that failed, with signatures of their own, and for nobody else', async () => {
    const { id } = await w.running({ change: { waves: [], errorLimitPermille: 1_000 } });
    await w.wake(w.devices, (device) => (device === w.devices[3] ? 'unsupported' : null));
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'done', done: 19, failed: 1 });
    const wide = w.make({ devices: w.devices.slice(3, 5), change: { parent: id } });
    expect(await codeOf(w.upload(wide))).toBe('ERR_CAMPAIGN_RETRY');
    const other = w.make({ type: 'read.now', devices: w.devices.slice(3, 4), change: { parent: id } });
    expect(await codeOf(w.upload(other))).toBe('ERR_CAMPAIGN_RETRY');
    const again = await w.running({ devices: w.devices.slice(3, 4), change: { parent: id } });
    expect(await w.wake(w.devices)).toBe(1);
    await w.settle();
    expect(await w.show(again.id)).toMatchObject({ state: 'done', done: 1 });
  });

  it('not with the signatures that were used before', async () => {
    const { id, made } = await w.running({ change: { waves: [], errorLimitPermille: 1_000 } });
    await w.wake(w.devices, () => 'unsupported');
    await w.settle();
    const manifest = { ...made.manifest, parent: id };
    const proposal = signManifest(manifest, 'propose', w.world.signers.ann);
    const again = await w.campaigns.submit({ proposal, by: by('ann') });
    expect(
      await codeOf(w.campaigns.upload({ id: again.id, from: 0, items: made.items, by: by('ann') })),
    ).toBe('ERR_CAMPAIGN_COMMAND');
  });
});
