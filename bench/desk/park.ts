import { createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDesk, type Desk } from '../../gateway/desk/desk.ts';
import { newMeter } from '../../gateway/desk/registry/meter.ts';
import { deviceOf, idOf, ORES } from '../../gateway/desk/store/contract-samples.ts';
import type { DeskStore, StoredCommand } from '../../gateway/desk/store/port.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import type { Command } from '../../protocol/command/command.ts';
import { signOutcome } from '../../protocol/command/outcome.ts';
import { sealCommand } from '../../protocol/command/sealed.ts';
import { signCommand } from '../../protocol/command/signed.ts';
import { rowOf } from '../../protocol/command/table.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { sampleCommand, samplePeople } from '../../protocol/testing/command-samples.ts';
import { sampleOperator, sampleSigner } from '../../protocol/testing/samples.ts';

/** A desk with a park of prepaid meters, and everybody who talks to it: the prepayment link signs, devices answer. */

/** A balance that its link has signed and the answer that its device will have signed. */
export interface Message {
  readonly device: DeviceId;
  readonly signed: Uint8Array;
  readonly answer: Uint8Array;
}

export interface Park {
  readonly desk: Desk;
  readonly store: DeskStore;
  readonly folder: string;
  /** The next balances, one for each meter in turn; whoever measures makes them beforehand. */
  messages(count: number): readonly Message[];
  propose(messages: readonly Message[]): Promise<void>;
  /** Claim, seal, and end each by its device's answer. All must have been proposed. */
  dispatch(messages: readonly Message[]): Promise<void>;
  close(): Promise<void>;
}

/** Meters that are entered at once share commits. */
const ENTERED_AT_ONCE = 256;

export async function createPark(meters: number): Promise<Park> {
  const folder = mkdtempSync(join(tmpdir(), 'hes-bench-desk-'));
  const store = openSqliteStore({ path: join(folder, 'desk.sqlite'), tenant: ORES });
  const { signers, keyOf } = samplePeople('marco');
  const linkKey = keyOf(signers.marco.certificate);
  const { signer: device } = sampleSigner();
  const deviceKey = createPublicKey(device.privateKey);
  const { recipient } = sampleOperator();
  const desk = createDesk({
    store,
    trust: () => ({ publicKey: linkKey, signer: { person: 'marco', role: 'marco' } }),
    deviceKeys: () => deviceKey,
  });
  for (let at = 0; at < meters; at += ENTERED_AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(ENTERED_AT_ONCE, meters - at) }, (_, index) =>
        desk.register(
          {
            ...newMeter({ device: deviceOf(at + index), home: ORES, medium: 'electricity' }),
            state: { creditMode: 'prepaid' },
          },
          'desk',
        ),
      ),
    );

  let made = 0;
  function message(): Message {
    const nowMs = Date.now();
    const now = Math.floor(nowMs / 1_000);
    const number = ++made;
    const command = sampleCommand('prepayment.balance', {
      tenant: ORES,
      device: deviceOf(number % meters),
      id: idOf(number),
      // Strictly rising for each meter, whose turn it is again after all others.
      counter: nowMs + Math.floor(number / meters),
      notBefore: now,
      expiry: now + rowOf('prepayment.balance').expirySeconds,
    }) as Command;
    const about = { tenant: ORES, device: command.device, command: command.id, time: now };
    return {
      device: command.device,
      signed: signCommand({ command, signer: signers.marco }),
      answer: signOutcome({ outcome: { ...about, state: 'executed', code: null }, signer: device }),
    };
  }

  async function dispatchOne({ device, answer }: Message): Promise<void> {
    const dispatch = await desk.claim(device);
    if (dispatch === undefined) throw new Error('nothing waited for a meter that a command was proposed for');
    sealCommand({ signed: dispatch.signed, binding: { tenant: ORES, device }, recipient });
    ended(await desk.outcome({ device, signed: answer }));
  }

  return {
    desk,
    store,
    folder,
    messages: (count) => Array.from({ length: count }, message),
    async propose(messages) {
      await Promise.all(messages.map(({ device, signed }) => desk.propose({ device, signed })));
    },
    async dispatch(messages) {
      await Promise.all(messages.map(dispatchOne));
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ended({ state }: StoredCommand): void {
  if (state !== 'executed') throw new Error(`a command ended as ${state}`);
}
