import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issueDevice, revokePerson } from '../../../pki/development/development.ts';
import { readOfficeIdentity } from '../../../pki/office/identity.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { manualClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { everybodyAwake, nobodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  EANS,
  type OfficeWorld,
  ORES,
  officeWorld,
  open,
  post,
  RESA,
  type RunningOffice,
  textOf,
} from '../testing/office-world.ts';
import { importRegistry } from './registry-file.ts';

let world: OfficeWorld;
const running: RunningOffice[] = [];
async function start(...args: Parameters<OfficeWorld['startOffice']>): Promise<RunningOffice> {
  const office = await world.startOffice(...args);
  running.push(office);
  return office;
}
beforeAll(() => {
  world = officeWorld();
});
afterAll(async () => {
  for (const office of running) await office.stop();
  world.close();
});

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
};

describe('a desk', () => {
  it('does not start with what is another tenant’s, and leaves no port and no file open', async () => {
    const resa = world.office.desk(RESA);
    expect(await codeOf(world.startOffice({ tls: resa }))).toMatch(/^ERR_(TRUST|PKI)_/);
    expect(await codeOf(world.startOffice({ tenant: RESA }))).toMatch(/^ERR_(CONFIG|DESK_TENANT)/);
    expect(
      await codeOf(
        world.startOffice({
          office: {
            root: world.pki.layout.root.certificate,
            issuing: [world.office.issuing(ORES).certificate],
          },
        }),
      ),
    ).toMatch(/^ERR_TRUST_/);
    expect(await codeOf(world.startOffice({ mode: 'production' }))).toMatch(/^ERR_(TRUST|PKI)_/);
    const taken = await start();
    expect(await codeOf(world.startOffice({ listen: { port: taken.port } }))).toBe('ERR_DESK_LISTEN');
    expect(await codeOf(world.startOffice({ registry: join(world.directory, 'none.jsonl') }))).toBe(
      'ERR_DESK_REGISTRY',
    );
  });

  it('brings a command to its meter sealed, and its signed outcome back to whoever asked', async () => {
    const office = await start({}, nobodyAwake);
    const { tls } = world.person('operator');
    const command = world.command('p1.set');
    const { json } = await post(office.port, tls, '/v1/commands', world.proposal(command));
    expect(json.state).toBe('queued');
    expect(office.field.commands()).toEqual([]);
    office.field.behaves(everybodyAwake);
    expect(await office.field.awake(command.device)).toEqual({ kind: 'taken' });
    const [sent] = office.field.commands();
    expect(sent).toMatchObject({ device: command.device, home: 'ores' });
    // What the carrier gets holds nothing of what was signed.
    const signed = Buffer.from(world.signed(command));
    expect(Buffer.from(sent!.sealed).includes(signed.subarray(0, 24))).toBe(false);
    const outcome = world.outcomeOf(command);
    expect(await office.field.outcome(command.device, outcome)).toEqual({ kind: 'taken' });
    expect(await office.field.outcome(command.device, outcome)).toEqual({ kind: 'taken' });
    const shown = await ask(office.port, tls, `/v1/commands/${command.id}`);
    expect(shown.json).toMatchObject({ state: 'executed', attempts: 1 });
    const meter = await ask(office.port, tls, `/v1/meters/${command.device}`);
    expect(meter.json.lastSeen).not.toBeNull();
  });

  it('refuses outcomes and reports that the device did not sign, by names that settle them', async () => {
    const office = await start({}, everybodyAwake);
    const [first, second] = world.devices;
    const never = world.command('p1.set', { device: first!.device });
    expect(await office.field.outcome(first!.device, world.outcomeOf(never))).toEqual({
      kind: 'refused',
      code: 'command',
    });
    const ofSecond = world.outcomeOf({ ...never, device: second!.device });
    expect(await office.field.outcome(first!.device, ofSecond)).toEqual({
      kind: 'refused',
      code: 'identity',
    });
    const altered = Buffer.from(world.outcomeOf(never));
    altered[altered.length - 1]! ^= 1;
    expect(await office.field.outcome(first!.device, altered)).toEqual({
      kind: 'refused',
      code: 'signature',
    });
    expect(await office.field.outcome(first!.device, Buffer.from('no outcome'))).toEqual({
      kind: 'refused',
      code: 'schema',
    });
    const unregistered = issueDevice(world.pki, { home: ORES, nowMs: Date.now() });
    expect(await office.field.report(unregistered.device, world.reportOf(first!.device, {}))).toMatchObject({
      kind: 'refused',
    });
  });

  it('follows what a meter reports of itself, with a row of the audit, and no older report', async () => {
    const office = await start({}, nobodyAwake);
    const device = world.devices[1]!.device;
    const view = async () =>
      (await ask(office.port, world.person('supervisor').tls, `/v1/meters/${device}`)).json;
    const time = Math.floor(Date.now() / 1_000);
    const said = { time, breaker: 'armed', creditMode: 'prepaid', tariffPlan: 'bi' } as const;
    expect(await office.field.report(device, world.reportOf(device, said))).toEqual({ kind: 'taken' });
    expect(await view()).toMatchObject({ breaker: 'armed', creditMode: 'prepaid', tariffPlan: 'bi' });
    await office.field.report(device, world.reportOf(device, { ...said, time: time - 60, breaker: 'open' }));
    expect(await view()).toMatchObject({ breaker: 'armed' });
    await office.field.report(device, world.reportOf(device, { ...said, airplaneSince: time }));
    expect(await view()).toMatchObject({ airplane: true });
    await office.field.report(device, world.reportOf(device, said));
    expect(await view()).toMatchObject({ airplane: false, airplaneSince: null });
    const rows = await office.store.auditRows({ limit: 100 });
    const ofMeter = rows.filter((row) => row.device === device && row.event !== 'meter-registered');
    expect(ofMeter.map(({ event, code }) => [event, code])).toEqual([
      ['meter-changed', 'tariff bi'],
      ['meter-changed', 'prepaid'],
      ['meter-changed', 'breaker armed'],
      ['meter-changed', 'airplane on'],
      ['airplane-ended', null],
    ]);
  });

  it('says of what it relies on how long it is good for', async () => {
    const lines: string[] = [];
    const log = createLog({ name: 'test', destination: { write: (line: string) => void lines.push(line) } });
    const clock = manualClock(Date.now() + 1_806 * 86_400_000);
    const office = await start({}, everybodyAwake, { clock, log });
    const left = office.counters.snapshot();
    expect(left['certificate.days_left.server']).toBe(19);
    for (const name of ['root', 'issuing.ores', 'office.root', 'office.issuing.ores'])
      expect(left[`certificate.days_left.${name}`], name).toBeGreaterThan(365);
    expect(Object.keys(left).filter((name) => name.startsWith('crl.days_left.'))).toHaveLength(2);
    const warned = lines.filter((line) => line.includes('"daysLeft"')).map((line) => JSON.parse(line));
    expect(warned).toMatchObject([{ level: 'warn', what: 'server', daysLeft: 19 }]);
  });

  it('ends the session of somebody whose certificate was revoked, with lists that it reads again', async () => {
    const office = await start({ reloadSeconds: 1 });
    const { tls } = world.person('prepayment');
    expect((await ask(office.port, tls, '/v1/me')).status).toBe(200);
    const identity = readOfficeIdentity(world.office.person(ORES, 'prepayment').identity);
    revokePerson(world.pki, identity, { nowMs: Date.now() });
    await expect
      .poll(async () => (await ask(office.port, tls, '/v1/me')).json.code, { timeout: 8_000 })
      .toBe('ERR_TRUST_REVOKED');
    expect((await ask(office.port, world.person('operator').tls, '/v1/me')).status).toBe(200);
  }, 15_000);
});

describe('a registry file', () => {
  it('has its wrong lines named, none of their words, and its right ones entered', async () => {
    const office = await start();
    const lines: string[] = [];
    const log = createLog({ name: 'test', destination: { write: (line: string) => void lines.push(line) } });
    const fresh = issueDevice(world.pki, { home: ORES, nowMs: Date.now() });
    const good = world.meterLine(fresh, 2);
    const file = join(world.directory, 'wrong.jsonl');
    const wrong: readonly object[] = [
      { ...good, colour: 'red' },
      { ...good, device: '123' },
      { ...good, channels: [] },
      { ...good, channels: [...good.channels, ...good.channels] },
      { ...good, channels: [{ ...good.channels[0], ean: '123456789012345678' }] },
      // The certificate of another device, and one that is not for key agreement of anything.
      { ...good, certificate: world.devices[0]!.agree.certificate },
      { ...good, certificate: 'none' },
    ];
    writeFileSync(
      file,
      `${JSON.stringify(good)}\n\nno json\n${wrong.map((line) => JSON.stringify(line)).join('\n')}`,
    );
    const parts = { desk: office.desk, store: office.store, log };
    expect(await importRegistry({ file, has: 'all' }, parts)).toEqual({
      entered: 1,
      refused: 1 + wrong.length,
      // Half a file takes no park away.
      withdrawn: 0,
    });
    expect(await office.desk.identify(fresh.device, EANS[2])).toBe(true);
    const text = lines.join('');
    expect(text).toContain('"line":3');
    expect(text).toContain('"line":4');
    expect(text).not.toMatch(/\d{18}/);
  });

  it('is read again: what is new is entered, what changed is changed, what is the same leaves no row', async () => {
    const registry = join(world.directory, 'growing.jsonl');
    writeFileSync(registry, `${JSON.stringify(world.meterLine(world.devices[0]!, 0))}\n`);
    const office = await start({ registry });
    const registered = async () =>
      (await office.store.auditRows({ limit: 500 })).filter(({ event }) => event === 'meter-registered')
        .length;
    expect(await registered()).toBe(1);
    appendFileSync(registry, `${JSON.stringify(world.meterLine(world.devices[1]!, 1))}\n`);
    await office.reload();
    await office.reload();
    expect(await registered()).toBe(2);
    appendFileSync(registry, `${JSON.stringify(world.meterLine(world.devices[1]!, 2))}\n`);
    await office.reload();
    expect(await office.desk.identify(world.devices[1]!.device, EANS[1])).toBe(false);
    expect(await office.desk.identify(world.devices[1]!.device, EANS[2])).toBe(true);
  });

  it('that has all meters withdraws those that it names no more, and gives them back as they were', async () => {
    const registry = join(world.directory, 'all.jsonl');
    const lines = world.devices.map((device, at) => `${JSON.stringify(world.meterLine(device, at))}\n`);
    writeFileSync(registry, lines.join(''));
    const office = await start({ registry, registryHas: 'all' }, nobodyAwake);
    const { device } = world.devices[0]!;
    const { tls } = world.person('operator');
    await office.field.report(device, world.reportOf(device, { creditMode: 'prepaid' }));
    const waiting = world.command('p1.set');
    await post(office.port, tls, '/v1/commands', world.proposal(waiting));

    writeFileSync(registry, lines.slice(1).join(''));
    await office.reload();
    expect((await ask(office.port, tls, `/v1/meters/${device}`)).status).toBe(404);
    const refused = await post(office.port, tls, '/v1/commands', world.proposal(world.command('p1.set')));
    expect(refused.json.code).toBe('ERR_DESK_METER');
    office.field.behaves(everybodyAwake);
    expect(await office.field.awake(device)).toEqual({ kind: 'taken' });
    expect(office.field.commands()).toEqual([]);

    writeFileSync(registry, '');
    await office.reload();
    expect((await ask(office.port, tls, '/v1/meters')).json.items).toHaveLength(world.devices.length - 1);
    writeFileSync(registry, lines.join(''));
    await office.reload();
    expect((await ask(office.port, tls, `/v1/meters/${device}`)).json.creditMode).toBe('prepaid');
    await office.field.awake(device);
    expect(office.field.commands()).toMatchObject([{ device }]);
  });

  it('is what the API takes too, from the operator’s own system alone', async () => {
    const office = await start();
    const fresh = issueDevice(world.pki, { home: ORES, nowMs: Date.now() });
    const body = `${JSON.stringify(world.meterLine(fresh, 0))}\n{"device":1}\n`;
    const headers = { 'content-type': 'application/x-ndjson' };
    const send = (as: 'lopex' | 'operator') =>
      open(office.port, world.person(as).tls, '/v1/meters', { method: 'POST', body, headers });
    expect((await send('operator')).statusCode).toBe(403);
    const answers = (await textOf(await send('lopex'))).trim().split('\n');
    expect(answers.map((line) => JSON.parse(line))).toMatchObject([
      { device: fresh.device },
      { code: 'ERR_DESK_REQUEST' },
    ]);
    const rows = await office.store.auditRows({ limit: 100 });
    expect(rows.at(-1)).toMatchObject({
      event: 'meter-registered',
      actor: { name: 'lopex' },
      device: fresh.device,
    });
  });
});
