import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Command, encodeCommand } from '../../../protocol/command/command.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import {
  ask,
  type OfficeWorld,
  ORES,
  officeWorld,
  type Person,
  post,
  RESA,
  type RunningOffice,
} from '../testing/office-world.ts';
import { sha256Hex } from './id.ts';
import { CHUNK_MAX, PREVIEW_MAX } from './limits.ts';
import { CommandsDigest, type Manifest, signManifest } from './manifest.ts';

/** Campaigns over the API of a desk that runs as a service: mutual TLS, dispatcher, and a played bus. */

let world: OfficeWorld;
let office: RunningOffice;
beforeAll(async () => {
  world = officeWorld();
  office = await world.startOffice();
});
afterAll(async () => {
  await office.stop();
  world.close();
});

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const get = (path: string, as: Person = 'operator') => ask(office.port, world.person(as).tls, path);
const send = (path: string, body: unknown, as: Person = 'operator') =>
  post(office.port, world.person(as).tls, path, body);
const lines = (path: string, bodies: readonly unknown[], as: Person = 'operator') =>
  ask(office.port, world.person(as).tls, path, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body: bodies.map((body) => `${JSON.stringify(body)}\n`).join(''),
  });
const codeOf = ({ json }: { json: unknown }): unknown => (json as { code?: unknown }).code;

let drawn = 0;
function make(devices: readonly DeviceId[]) {
  const commands = devices.map((device): Command => {
    drawn += 1;
    const id = drawn.toString(16).padStart(32, 'c') as CommandId;
    return world.command('p1.set', { device, id });
  });
  const [{ notBefore, expiry }] = commands as [Command];
  const alike = commands.map((command) => ({ ...command, notBefore, expiry }));
  const sum = new CommandsDigest();
  for (const command of alike) sum.add(sha256Hex(encodeCommand(command)));
  const manifest: Manifest = {
    version: 1,
    tenant: ORES,
    type: 'p1.set',
    count: devices.length,
    commands: sum.end(),
    waves: [1],
    errorLimitPermille: 0,
    waveSeconds: 3_600,
    notBefore,
    expiry,
    madeAtMs: Date.now() + drawn,
    reason: null,
    parent: null,
  };
  return { manifest, items: alike.map((command) => world.proposal(command)) };
}
const signed = (manifest: Manifest, part: 'propose' | 'approve', by: Person) => ({
  signed: base64(signManifest(manifest, part, world.person(by).signer)),
});
const submit = async (manifest: Manifest): Promise<string> => {
  const { status, json } = await send('/v1/campaigns', signed(manifest, 'propose', 'operator'));
  expect(status).toBe(201);
  return (json as { id: string }).id;
};

describe('campaigns over the API', () => {
  const devices = (): readonly DeviceId[] => world.devices.map(({ device }) => device);

  it('are not for whose role is not in the row, nor for the office of another tenant', async () => {
    const { manifest } = make(devices());
    for (const who of ['supervisor', 'approver'] as const)
      expect(await send('/v1/campaigns', signed(manifest, 'propose', who), who)).toMatchObject({
        status: 403,
      });
    for (const what of ['pause', 'resume', 'stop'])
      expect((await send(`/v1/campaigns/${'0'.repeat(32)}/${what}`, {}, 'supervisor')).status).toBe(403);
    // A colleague of another tenant, with a manifest of this one's: his certificate is not believed at the door.
    const { key, cert, ca } = world.person('operator', RESA).tls;
    const foreign = await post(
      office.port,
      { key, cert, ca },
      '/v1/campaigns',
      signed(manifest, 'propose', 'operator'),
    );
    expect(foreign.status).toBe(401);
  });

  it('take no manifest of somebody else, of no signature, or that is none', async () => {
    const { manifest } = make(devices());
    const others = await send('/v1/campaigns', signed(manifest, 'propose', 'operator'), 'lopex');
    expect([others.status, codeOf(others)]).toEqual([403, 'ERR_CAMPAIGN_ROLE']);
    const approval = await send('/v1/campaigns', signed(manifest, 'approve', 'operator'));
    expect([approval.status, codeOf(approval)]).toEqual([422, 'ERR_ENVELOPE_SIGNATURE']);
    const none = await send('/v1/campaigns', { signed: base64(Buffer.from('no manifest')) });
    expect([none.status, codeOf(none)]).toEqual([422, 'ERR_ENVELOPE_SIGNED']);
    expect((await send('/v1/campaigns', { signed: 'x y' })).status).toBe(400);
  });

  it('take no more than a chunk at once, no bad line, and nothing for an id that is none', async () => {
    const { manifest, items } = make(devices());
    const id = await submit(manifest);
    const path = `/v1/campaigns/${id}/commands`;
    const many = await lines(`${path}?from=0`, Array<unknown>(CHUNK_MAX + 1).fill(items[0]));
    expect([many.status, codeOf(many)]).toEqual([413, 'ERR_DESK_BODY']);
    const bad = await lines(`${path}?from=0`, [items[0], { device: 'x', signed: '' }]);
    expect([bad.status, codeOf(bad)]).toEqual([400, 'ERR_DESK_REQUEST']);
    expect((await lines(path, items)).status).toBe(400);
    expect((await lines(`${path}?from=-1`, items)).status).toBe(400);
    const gap = await lines(`${path}?from=1`, items);
    expect([gap.status, codeOf(gap)]).toEqual([409, 'ERR_CAMPAIGN_GAP']);
    expect(((await get(`/v1/campaigns/${id}`)).json as { received: number }).received).toBe(0);
    expect((await get('/v1/campaigns/xyz')).status).toBe(400);
    const missing = await get(`/v1/campaigns/${'0'.repeat(32)}`);
    expect([missing.status, codeOf(missing)]).toEqual([404, 'ERR_CAMPAIGN']);
    expect((await send(`/v1/campaigns/${id}/stop`, {})).json).toMatchObject({ state: 'stopped' });
  });

  it('say how meters stand, known or not, and no more than so many at once', async () => {
    const [known] = devices();
    const asked = { devices: [known, 'ffffffffffffffff'] };
    const { json } = await send('/v1/campaigns/preview', asked, 'supervisor');
    expect(json).toMatchObject({ items: [{ device: known, airplane: false }, null] });
    const many = { devices: Array<unknown>(PREVIEW_MAX + 1).fill(known) };
    expect((await send('/v1/campaigns/preview', many)).status).toBeGreaterThanOrEqual(400);
  });

  it('run once they are approved: over the bus to each meter, and to their end with its answer', async () => {
    const { manifest, items } = make(devices());
    const id = await submit(manifest);
    const uploaded = await lines(`/v1/campaigns/${id}/commands?from=0`, items);
    expect(uploaded.json).toMatchObject({ state: 'awaiting-approval', received: 3 });
    const page = await get(`/v1/campaigns/${id}/commands?from=1&limit=1`, 'approver');
    expect(page.json).toEqual({ items: [{ n: 1, ...items[1] }], next: 2 });
    const before = office.field.commands().length;
    const own = await send(`/v1/campaigns/${id}/approval`, signed(manifest, 'approve', 'operator'));
    expect(own.status).toBe(403);
    const approval = signed(manifest, 'approve', 'approver');
    const approved = await send(`/v1/campaigns/${id}/approval`, approval, 'approver');
    expect(approved.json).toMatchObject({ state: 'running', approver: 'approver', wave: 0 });

    const answered = new Set<string>();
    for (;;) {
      const { json } = await get(`/v1/campaigns/${id}`, 'supervisor');
      const { state } = json as { state: string };
      if (state !== 'running') break;
      const open = await get(`/v1/campaigns/${id}/results?state=open`, 'supervisor');
      for (const { device, command } of (open.json as { items: { device: DeviceId; command: CommandId }[] })
        .items) {
        const stored = (await get(`/v1/commands/${command}`)).json as { state: string };
        if (stored.state !== 'sent' || answered.has(command)) continue;
        answered.add(command);
        await office.field.outcome(device, world.outcomeOf({ device, id: command }));
      }
      await delay(5);
    }
    expect((await get(`/v1/campaigns/${id}`)).json).toMatchObject({ state: 'done', totals: { done: 3 } });
    expect(office.field.commands().length - before).toBe(3);
    const audit = await get('/v1/audit?limit=500', 'supervisor');
    const events = (audit.json as { items: { event: string; digest: string }[] }).items.filter(({ digest }) =>
      digest?.startsWith(id),
    );
    expect(events.map(({ event }) => event)).toEqual([
      'campaign-submitted',
      'campaign-uploaded',
      'campaign-approved',
      'campaign-wave',
      'campaign-done',
    ]);
  });
});
