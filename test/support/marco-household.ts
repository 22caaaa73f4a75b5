import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Desk } from '../../gateway/desk/desk.ts';
import { newMeter } from '../../gateway/desk/registry/meter.ts';
import type { Trust } from '../../gateway/edge/operations/accept.ts';
import type { MeterEvent } from '../../gateway/edge/operations/events.ts';
import type { ProtectedPeriod } from '../../gateway/edge/operations/installation.ts';
import { Operations } from '../../gateway/edge/operations/operations.ts';
import type { Notice } from '../../gateway/edge/operations/step.ts';
import { FakeHardware } from '../../gateway/edge/operations/testing/hardware.ts';
import type { MeterView } from '../../gateway/edge/operations/view.ts';
import { parseTelegram } from '../../gateway/edge/p1/parse.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import { memoryFiles } from '../../gateway/edge/testing/files.ts';
import type { Clock } from '../../gateway/runtime/clock.ts';
import { conditionsOf, withConditions } from '../../meter-emulator/p1/conditions.ts';
import { encodeTelegramBytes } from '../../meter-emulator/p1/encode.ts';
import { stateOf } from '../../meter-emulator/p1/example.ts';
import { signOutcome } from '../../protocol/command/outcome.ts';
import { openCommand, sealCommand } from '../../protocol/command/sealed.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { sampleOperator, sampleSigner } from '../../protocol/testing/samples.ts';

/** A meter at an address, hanging on a desk of the same process: what it shows, its port, and whoever lives there. */

export interface HouseholdOptions {
  readonly device: DeviceId;
  readonly tenant: TenantId;
  readonly medium: 'electricity' | 'gas';
  readonly clock: Clock;
  readonly trust: Trust;
  readonly protectedPeriods: readonly ProtectedPeriod[];
}

/** What somebody at a meter sees and does, whatever carries its commands. */
export interface Home {
  readonly device: DeviceId;
  view(): MeterView;
  happen(event: MeterEvent): Promise<boolean>;
  /** What the meter noticed since it was last asked. */
  noticed(): readonly Notice[];
}

export type Household = Awaited<ReturnType<typeof household>>;

/** 0 no supply, 1 supply, 2 ready: of the breaker, or of a gas meter's own valve. */
export const supplyOf = ({ breaker, valves }: MeterView): number | undefined =>
  breaker ?? valves.find(({ channel }) => channel === 0)?.position;

/** A telegram of this moment, printed and read back. */
export function portOf(view: MeterView): P1Telegram {
  const state = withConditions(stateOf(1), conditionsOf(view));
  const outcome = parseTelegram(encodeTelegramBytes('emucs-2.1.1', state).subarray(0, -2));
  if (!outcome.ok) throw new Error(outcome.fault);
  return outcome.telegram;
}

/** The screens of prepayment, each by a press of the button. */
export async function screensOf(home: Home): Promise<Readonly<Record<string, string>>> {
  const seen: Record<string, string> = {};
  for (let press = 0; press < 3; press++) {
    const { shown } = home.view().display;
    if (shown !== null) seen[shown.name] = shown.text;
    await home.happen({ kind: 'next-screen' });
  }
  return seen;
}

/** All devices of a test have one signature key: which device a certificate is of is not its question. */
const signer = sampleSigner().signer;
export const HOUSEHOLD_KEY = createPublicKey(signer.privateKey);

export async function household(options: HouseholdOptions) {
  const { device, tenant, medium, clock, trust, protectedPeriods } = options;
  const directory = mkdtempSync(join(tmpdir(), 'hes-household-'));
  const { recipient, key } = sampleOperator();
  const binding = { tenant, device };
  const notices: Notice[] = [];
  const hardware = new FakeHardware();
  const operations = await Operations.open({
    directory,
    installation: {
      device,
      home: tenant,
      meters: [{ channel: 0, owner: tenant, medium, switchable: true }],
      protectedPeriods,
    },
    hardware,
    trust,
    files: memoryFiles(),
    nowMs: clock.nowMs(),
    onNotice: (notice) => notices.push(notice),
  });
  const happen = (event: MeterEvent): Promise<boolean> => operations.happen(event, clock.nowMs());
  const view = () => operations.view(clock.nowMs());

  return {
    device,
    hardware,
    happen,
    view,
    noticed: (): readonly Notice[] => notices.splice(0),

    async enter(desk: Desk): Promise<void> {
      await desk.register(newMeter({ device, home: tenant, medium }), 'desk');
    },

    /** Awake: takes what waits, sealed as on its way, and hands its results over. */
    async wake(desk: Desk): Promise<void> {
      await operations.tick(clock.nowMs());
      for (;;) {
        const dispatch = await desk.claim(device);
        if (dispatch === undefined) return;
        const sealed = sealCommand({ signed: dispatch.signed, binding, recipient });
        await operations.receive(
          { signed: openCommand({ sealed, binding, keys: [key] }), tenant },
          clock.nowMs(),
        );
        for (const { id, outcome } of operations.results()) {
          await desk.outcome({ device, signed: signOutcome({ outcome, signer }) });
          await operations.settled(id);
        }
      }
    },

    async end(): Promise<void> {
      await operations.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
