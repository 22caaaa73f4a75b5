import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { DeviceIdentity, KeyAndCertificate } from '../../../pki/identity.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { OwnerDaysState } from '../days/owner-days.ts';
import type { OutboxFiles } from '../outbox/files.ts';
import { FrameSealer, openFrames } from './frames.ts';
import { type ImageData, imageOf, type StepData, stateOf, stepOf, type Written } from './state.ts';

/** Beyond this the file is begun anew: a day of steps of five meters takes half of it. */
export const CHECKPOINT_BYTES_MAX = 256 * 1024;

/** What is kept (day.ts): as it stands when it is written. */
export interface Kept {
  /** Another one after each change of shape: an owner, a meter or a day more or less. */
  readonly revision: number;
  state(): readonly OwnerDaysState[];
}

export interface CheckpointOptions {
  readonly directory: string;
  readonly identity: () => DeviceIdentity;
  readonly files: OutboxFiles;
  readonly log: Log;
  readonly counters: Counters;
}

/** What was found at the start. `ignored`: there was something that could not be opened or understood. */
export type Restored = 'none' | 'restored' | 'ignored';

/**
 * The running day on disk, sealed to the device itself: what a kill or a power cut would otherwise make a gap of
 * (docs/adr/0102). It is a help and never a duty: whatever is wrong with it or with the disk is said once and
 * counted, and the day goes on in memory as if there were none.
 */
export class Checkpoint {
  readonly #path: string;
  readonly #device: DeviceId;
  readonly #identity: () => DeviceIdentity;
  readonly #files: OutboxFiles;
  readonly #log: Log;
  readonly #counters: Counters;
  #sealer: FrameSealer | undefined;
  #written: Written = new WeakMap();
  /** The shape of the file that is being written; undefined while a new one is due. */
  #revision: number | undefined;
  #bytes = 0;
  /** Whether there may be a file. */
  #there = true;
  #failing = false;
  #running: Promise<void> | undefined;
  #next: Kept | undefined;

  constructor({ directory, identity, files, log, counters }: CheckpointOptions) {
    this.#path = `${directory}/day`;
    this.#device = identity().device;
    this.#identity = identity;
    this.#files = files;
    this.#log = log;
    this.#counters = counters;
  }

  /** Whether the last write failed. */
  get failing(): boolean {
    return this.#failing;
  }

  /** What the last process left. The file stays as it is until the first write puts a new one in its place. */
  load(): { readonly restored: Restored; readonly state: readonly OwnerDaysState[] } {
    let found: readonly OwnerDaysState[] | undefined;
    try {
      const bytes = this.#files.read(this.#path);
      if (bytes === undefined) {
        this.#there = false;
        return { restored: 'none', state: [] };
      }
      found = this.#parse(bytes);
    } catch (error) {
      this.#log.error(
        { err: error, device: this.#device },
        'the checkpoint of the running day cannot be read',
      );
    }
    this.#counters.count(`edge.checkpoint.${found === undefined ? 'ignored' : 'restored'}`);
    if (found !== undefined) return { restored: 'restored', state: found };
    this.#log.warn({ device: this.#device }, 'no use of the checkpoint: the running day begins with a gap');
    return { restored: 'ignored', state: [] };
  }

  /** Another key-agreement key: what is written next is a whole file under it. */
  renew(): void {
    this.#sealer = undefined;
  }

  /** Write what is new, soon. Never throws and never waits; what comes while a write runs goes with the next one. */
  save(kept: Kept): void {
    this.#next = kept;
    this.#running ??= this.#run();
  }

  /** The last write: whatever is new, and wait for it. */
  async close(kept: Kept): Promise<void> {
    this.save(kept);
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#next !== undefined) {
      const kept = this.#next;
      this.#next = undefined;
      try {
        await this.#write(kept);
        this.#failing = false;
      } catch (error) {
        this.#revision = undefined;
        this.#counters.count('edge.checkpoint.failed');
        if (!this.#failing)
          this.#log.error({ err: error, device: this.#device }, 'the running day cannot be kept on the disk');
        this.#failing = true;
      }
    }
    this.#running = undefined;
  }

  async #write(kept: Kept): Promise<void> {
    const state = kept.state();
    const { revision } = kept;
    if (state.every(({ day, ended }) => day === null && ended.length === 0)) return this.#erase();
    if (this.#sealer !== undefined && this.#revision === revision) {
      const frame = this.#sealer.seal(JSON.stringify(stepOf(state, this.#written)));
      if (this.#bytes + frame.length <= CHECKPOINT_BYTES_MAX) {
        await this.#files.appendDurably(this.#path, frame);
        this.#bytes += frame.length;
        this.#counters.count('edge.checkpoint.written');
        return;
      }
    }
    this.#written = new WeakMap();
    this.#sealer = new FrameSealer(secretOf(this.#identity().agree), this.#device);
    const image = this.#sealer.seal(JSON.stringify(imageOf(state, this.#written)));
    const bytes = Buffer.concat([this.#sealer.head, image]);
    this.#there = true;
    await this.#files.replaceDurably(this.#path, bytes);
    this.#revision = revision;
    this.#bytes = bytes.length;
    this.#counters.count('edge.checkpoint.written');
  }

  #erase(): void {
    this.#revision = undefined;
    if (this.#there) this.#files.remove(this.#path);
    this.#there = false;
  }

  #parse(bytes: Buffer): readonly OwnerDaysState[] | undefined {
    const { agree, agreeBefore = [], owners } = this.#identity();
    // A file that was written before a renewal is under the key of that time.
    const opened = [agree, ...agreeBefore]
      .map((pair) => openFrames(secretOf(pair), this.#device, bytes))
      .find((one) => one !== undefined);
    if (opened === undefined) return undefined;
    if (opened.tornBytes > 0)
      this.#log.warn(
        { device: this.#device, tornBytes: opened.tornBytes },
        'left out what an unfinished write put behind the checkpoint',
      );
    const [image, ...steps] = opened.frames;
    const state = stateOf(
      JSON.parse(image!) as ImageData,
      steps.map((step) => JSON.parse(step) as StepData),
    );
    // Days of an owner that the device was taken from since could never be sealed.
    return state.filter(({ owner }) => owners[owner] !== undefined);
  }
}

/** The private scalar of the key-agreement key (RFC 7518 §6.2.2): the same whatever file form the key came in. */
function secretOf({ key }: KeyAndCertificate): KeyObject {
  const { d } = createPrivateKey(key).export({ format: 'jwk' });
  return createSecretKey(d ?? '', 'base64url');
}
