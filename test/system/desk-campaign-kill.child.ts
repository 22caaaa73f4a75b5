import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sha256Hex } from '../../gateway/desk/campaigns/id.ts';
import { CommandsDigest, type Manifest, signManifest } from '../../gateway/desk/campaigns/manifest.ts';
import { createDesk } from '../../gateway/desk/desk.ts';
import { newMeter } from '../../gateway/desk/registry/meter.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import { manualClock } from '../../gateway/runtime/clock.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { type Command, encodeCommand } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { signOutcome } from '../../protocol/command/outcome.ts';
import { signCommand } from '../../protocol/command/signed.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { SAMPLE_SECONDS, sampleCommand } from '../../protocol/testing/command-samples.ts';

/**
 * The victim of desk-campaign-kill.test.ts: a desk with a campaign that it submits, uploads, approves and runs, and
 * meters that take and answer their commands, until it is killed. The next one goes on with what lies there.
 */
const ORES = 'ores' as TenantId;
const CHUNK = 60;
/** Each run is so much later: what the one before left in flight has ended by then. */
const RUN_MS = 3_600_000;

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

/** The same keys in each run. */
function keyOf(directory: string, name: string): KeyObject {
  const file = join(directory, `${name}.pem`);
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
  return createPrivateKey(readFileSync(file));
}

const ROLES = { ann: 'operator', bea: 'approver' } as const;
type Name = keyof typeof ROLES;

async function work(directory: string, meters: number, run: number): Promise<void> {
  const keys = { ann: keyOf(directory, 'ann'), bea: keyOf(directory, 'bea') };
  const signerOf = (name: Name) => ({ privateKey: keys[name], certificate: Buffer.from(name) });
  const deviceKey = keyOf(directory, 'device');
  const store = openSqliteStore({ path: join(directory, 'desk.sqlite'), tenant: ORES });
  const clock = manualClock(SAMPLE_SECONDS * 1_000 + run * RUN_MS);
  const desk = createDesk({
    store,
    clock,
    random: seededRandom('campaign kill', run),
    trust(certificate) {
      const person = Buffer.from(certificate).toString() as Name;
      return { publicKey: createPublicKey(keys[person]), signer: { role: ROLES[person], person } };
    },
    deviceKeys: () => createPublicKey(deviceKey),
  });
  const by = (person: Name) => ({ role: ROLES[person], person });
  const devices = Array.from({ length: meters }, (_, n) => n.toString(16).padStart(16, '0') as DeviceId);
  await Promise.all(
    devices.map((device) => desk.register(newMeter({ device, home: ORES, medium: 'electricity' }), 'desk')),
  );
  while ((await desk.expire()) > 0);

  const commands = devices.map(
    (device, n): Command =>
      sampleCommand('p1.set', {
        device,
        id: (n + 1).toString(16).padStart(32, '0') as CommandId,
        counter: SAMPLE_SECONDS * 1_000 + n,
        expiry: SAMPLE_SECONDS + 14 * 86_400,
      }),
  );
  const sum = new CommandsDigest();
  for (const command of commands) sum.add(sha256Hex(encodeCommand(command)));
  const manifest: Manifest = {
    version: 1,
    tenant: ORES,
    type: 'p1.set',
    count: meters,
    commands: sum.end(),
    waves: [5, 20, 60],
    errorLimitPermille: 1_000,
    waveSeconds: 86_400,
    notBefore: SAMPLE_SECONDS,
    expiry: SAMPLE_SECONDS + 14 * 86_400,
    madeAtMs: SAMPLE_SECONDS * 1_000,
    reason: null,
    parent: null,
  };
  const proposal = signManifest(manifest, 'propose', signerOf('ann'));
  let campaign = await desk.campaigns.submit({ proposal, by: by('ann') });
  say(`open ${campaign.state} ${campaign.received}`);
  while (campaign.state === 'uploading') {
    const from = campaign.received;
    const items = commands.slice(from, from + CHUNK).map((command) => ({
      device: command.device,
      signed: signCommand({ command, signer: signerOf('ann') }),
    }));
    campaign = await desk.campaigns.upload({ id: campaign.id, from, items, by: by('ann') });
    say(`received ${campaign.received}`);
  }
  if (campaign.state === 'awaiting-approval') {
    const approval = signManifest(manifest, 'approve', signerOf('bea'));
    campaign = await desk.campaigns.approve({ id: campaign.id, approval, by: by('bea') });
    say('approved');
  }
  desk.campaigns.start();
  for (;;) {
    const { stored } = await desk.campaigns.show(campaign.id);
    if (stored.state !== 'running') break;
    for (const device of await store.waitingDevices({ nowMs: clock.nowMs(), limit: 40 })) {
      const dispatch = await desk.claim(device);
      if (dispatch === undefined) continue;
      const { id } = dispatch.command;
      // The meter has done it; whether the desk hears of it is another matter.
      say(`did ${id}`);
      const time = Math.floor(clock.nowMs() / 1_000);
      const outcome = { tenant: ORES, device, command: id, time, state: 'executed', code: null } as const;
      const signed = signOutcome({
        outcome,
        signer: { privateKey: deviceKey, certificate: Buffer.from('device') },
      });
      await desk.outcome({ device, signed });
      say(`done ${id}`);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await desk.campaigns.end();
  await store.close();
  say('end');
}

const [directory, meters, run] = process.argv.slice(2);
if (import.meta.main && directory !== undefined) await work(directory, Number(meters), Number(run));
