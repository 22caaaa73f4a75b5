import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPki } from '../../../pki/ca/open.ts';
import {
  finishRollover,
  type RolloverContext,
  startRollover,
  switchRollover,
} from '../../../pki/rollover/rollover.ts';
import { newSealingNotice } from '../../../pki/testing/notice.ts';
import { everybodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  type OfficeWorld,
  ORES,
  officeWorld,
  post,
  type RunningOffice,
} from '../testing/office-world.ts';

/** What a desk tells a device before a command, and what it believes while a CA of its office is replaced. */

let world: OfficeWorld;
const running: RunningOffice[] = [];
beforeAll(() => {
  world = officeWorld();
});
afterAll(async () => {
  for (const office of running) await office.stop();
  world.close();
});

async function start(notice?: string): Promise<RunningOffice> {
  const { layout } = world.pki;
  const field = {
    root: layout.root.certificate,
    issuers: [{ tenant: ORES, certificate: layout.issuing(ORES).certificate }],
    revocations: [layout.crl(ORES)],
    ...(notice === undefined ? {} : { notice }),
  };
  const office = await world.startOffice({ field }, everybodyAwake);
  running.push(office);
  return office;
}

async function order(office: RunningOffice, device: number): Promise<void> {
  const command = world.command('p1.set', { device: world.devices[device]!.device });
  await post(office.port, world.person('operator').tls, '/v1/commands', world.proposal(command));
  await expect
    .poll(() => office.field.commands().some((sent) => sent.device === command.device), { timeout: 10_000 })
    .toBe(true);
}

describe('a desk', () => {
  it('sends the notice of its file with each command, as the file says it now, and with no question', async () => {
    const file = join(world.directory, 'notice.cose');
    const { signed } = newSealingNotice(world.pki, ORES);
    const office = await start(file);
    await order(office, 0);
    expect(office.field.commands().at(-1)?.notice).toBeUndefined();
    writeFileSync(file, signed);
    await office.reload();
    await order(office, 1);
    expect(office.field.commands().at(-1)?.notice).toEqual(Uint8Array.from(signed));
    expect(office.field.sent.filter(({ sealed }) => sealed.length === 0).every(({ notice }) => !notice)).toBe(
      true,
    );
    rmSync(file);
  });

  it('believes people of both CAs of its office while one is replaced, and then those of the new one', async () => {
    const { layout } = world.pki;
    const context: RolloverContext = {
      open: () => openPki({ directory: layout.directory, nowMs: Date.now() }),
      tenant: ORES,
      clock: { nowMs: Date.now },
      by: 'test',
    };
    const office = await start();
    const { tls } = world.person('operator');
    const status = async (): Promise<number> => (await ask(office.port, tls, '/v1/commands')).status;
    expect(await status()).toBe(200);
    startRollover(context, { kind: 'office', keep: (pem) => pem, leadMs: 0, overlapMs: 0 });
    switchRollover(context);
    await office.reload();
    expect(await status()).toBe(200);
    finishRollover(context, { evenIfUsed: true });
    await office.reload();
    expect(await status()).toBe(401);
  });
});
