import type { ResultCode } from '../../../../protocol/command/codes.ts';
import { type Command, encodeCommand } from '../../../../protocol/command/command.ts';
import { approveCommand, signCommand } from '../../../../protocol/command/signed.ts';
import { type CommandType, rowOf } from '../../../../protocol/command/table.ts';
import type { DeviceId } from '../../../../protocol/identity.ts';
import type { DeskOptions } from '../../desk.ts';
import { newMeter } from '../../registry/meter.ts';
import { by, type DeskWorld, deskWorld, type Name, ORES } from '../../testing/world.ts';
import { type CampaignId, sha256Hex } from '../id.ts';
import { CommandsDigest, type Manifest, signManifest } from '../manifest.ts';
import type { StoredCampaign } from '../store/port.ts';
import type { UploadItem } from '../submit.ts';

/** Campaigns at the desk of the tests next door: made, uploaded, approved, and answered by their meters. */

/** Beside the three meters that the world has already. */
const FIRST_METER = 0x1000;
export const meterOf = (number: number): DeviceId =>
  (FIRST_METER + number).toString(16).padStart(16, '0') as DeviceId;

export interface Made {
  readonly manifest: Manifest;
  readonly items: readonly UploadItem[];
  readonly proposal: Uint8Array;
}

export interface MakeOptions {
  readonly type?: CommandType;
  readonly count?: number;
  readonly by?: Name;
  readonly devices?: readonly DeviceId[];
  readonly change?: Partial<Manifest>;
}

export function digestOf(items: readonly UploadItem[], payloads: readonly Uint8Array[]): Uint8Array {
  const sum = new CommandsDigest();
  for (const payload of payloads) sum.add(sha256Hex(payload));
  if (sum.count !== items.length) throw new Error('a payload for each command');
  return sum.end();
}

export function campaignsOf(world: DeskWorld) {
  const { desk, store, clock } = world;
  const { campaigns } = desk;

  async function registerMeters(count: number): Promise<readonly DeviceId[]> {
    const devices = Array.from({ length: count }, (_, number) => meterOf(number));
    await Promise.all(
      devices.map((device) => desk.register(newMeter({ device, home: ORES, medium: 'electricity' }), 'desk')),
    );
    return devices;
  }

  function make(options: MakeOptions = {}): Made {
    const { type = 'p1.set', count = 20, by: signer = 'ann', change = {} } = options;
    const devices = options.devices ?? Array.from({ length: count }, (_, number) => meterOf(number));
    const notBefore = Math.floor(clock.nowMs() / 1_000);
    const expiry = notBefore + rowOf(type).expirySeconds;
    const commands = devices.map((device): Command => world.command(type, { device, notBefore, expiry }));
    const items = commands.map((command) => ({
      device: command.device,
      signed: signCommand({ command, signer: world.signers[signer] }),
    }));
    const manifest: Manifest = {
      version: 1,
      tenant: ORES,
      type,
      count: devices.length,
      commands: digestOf(items, commands.map(encodeCommand)),
      waves: [2, 5],
      errorLimitPermille: 200,
      waveSeconds: 3_600,
      notBefore,
      expiry,
      madeAtMs: clock.nowMs(),
      reason: 'a test',
      parent: null,
      ...change,
    };
    return { manifest, items, proposal: signManifest(manifest, 'propose', world.signers[signer]) };
  }

  async function upload({ proposal, items }: Made, signer: Name = 'ann'): Promise<StoredCampaign> {
    const { id } = await campaigns.submit({ proposal, by: by(signer) });
    return campaigns.upload({ id, from: 0, items, by: by(signer) });
  }

  const approve = (id: CampaignId, manifest: Manifest, name: Name = 'bea') =>
    campaigns.approve({
      id,
      approval: signManifest(manifest, 'approve', world.signers[name]),
      by: by(name),
    });

  const countersigned = (items: readonly UploadItem[], name: Name = 'bea'): readonly UploadItem[] =>
    items.map(({ device, signed }) => ({
      device,
      signed: approveCommand({ signed, signer: world.signers[name] }),
    }));

  /** What the runner does by itself, step by step until there is nothing left to do at once. */
  async function settle(): Promise<void> {
    while (await campaigns.pass());
  }

  /** Each meter that something waits for takes it and answers. @returns how many there were */
  async function wake(
    devices: readonly DeviceId[],
    answer: (device: DeviceId) => ResultCode | null | 'silent' = () => null,
  ): Promise<number> {
    let taken = 0;
    for (const device of devices) {
      const dispatch = await desk.claim(device);
      if (dispatch === undefined) continue;
      taken += 1;
      const said = answer(device);
      if (said !== 'silent') await world.says(dispatch.command, said);
    }
    return taken;
  }

  async function running(options: MakeOptions = {}): Promise<{ id: CampaignId; made: Made }> {
    const made = make(options);
    const { id } = await upload(made, options.by);
    await approve(id, made.manifest);
    await settle();
    return { id, made };
  }

  const show = async (id: CampaignId) => {
    const { stored, waves } = await campaigns.show(id);
    const of = (name: 'ready' | 'open' | 'done' | 'failed' | 'skipped') =>
      waves.reduce((sum, wave) => sum + wave[name], 0);
    return {
      state: stored.state,
      code: stored.code,
      wave: stored.wave,
      ready: of('ready'),
      open: of('open'),
      done: of('done'),
      failed: of('failed'),
      skipped: of('skipped'),
    };
  };

  return {
    campaigns,
    store,
    registerMeters,
    make,
    upload,
    approve,
    countersigned,
    settle,
    wake,
    running,
    show,
  };
}

/** @param kept a folder of the caller's, which stays */
export async function campaignWorld(meters: number, options: Partial<DeskOptions> = {}, kept?: string) {
  const world = await deskWorld(options, kept);
  const helpers = campaignsOf(world);
  const devices = await helpers.registerMeters(meters);
  return { world, devices, ...helpers };
}
