import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { RECEIPT_KEY_BYTES } from '../../../protocol/keys.ts';
import { encodeFrame } from './frames.ts';
import { type Image, type ImageEntry, imageOf, placesIn, recordsOf } from './image.ts';
import type { OutboxFile } from './outbox-file.ts';
import { recover } from './recover.ts';
import { NOTHING_GOES, type Resident, thinnedOf } from './residents.ts';
import type { RoomPlan } from './room.ts';
import {
  type NewEntry,
  OutboxState,
  type OwnerState,
  type Place,
  type SealedForm,
  type StoredEntry,
} from './state.ts';

const LENGTH_BYTES = 4;

/** The file of an outbox together with what is known of it: both change, or neither does. */
export class OutboxContent {
  readonly state = new OutboxState();
  readonly file: OutboxFile;
  readonly #device: DeviceId;

  constructor(device: DeviceId, file: OutboxFile) {
    this.#device = device;
    this.file = file;
  }

  /** Bytes of an unfinished write that were cut. @throws ERR_OUTBOX_DAMAGED, ERR_OUTBOX_FORMAT, ERR_OUTBOX_READ */
  load(flush: boolean): number {
    const bytes = this.file.load();
    if (bytes === undefined) return 0;
    const { records, length, tornBytes } = recover(this.file.path, bytes, this.#device);
    for (const { record, sealedAt } of records) this.state.replay(record, sealedAt);
    this.file.resume(bytes, length, flush);
    return tornBytes;
  }

  /** @throws ERR_OUTBOX_READ */
  read({ sealedAt, length }: Place): SealedForm {
    const keyAt = sealedAt - LENGTH_BYTES - RECEIPT_KEY_BYTES;
    const bytes = this.file.readAt(keyAt, sealedAt + length - keyAt);
    return { sealed: bytes.subarray(sealedAt - keyAt), receiptKey: bytes.subarray(0, RECEIPT_KEY_BYTES) };
  }

  /** Note up to where an owner's days are closed. @throws ERR_OUTBOX_WRITE */
  async setOwner(owner: TenantId, owned: OwnerState): Promise<void> {
    if (this.file.suspect) {
      const kept = [...this.state.entries];
      const owners = new Map(this.state.owners).set(owner, owned);
      const image = this.#image(
        kept.map((stored) => this.#whole(stored)),
        owners,
      );
      await this.file.replaceDurably(image.bytes);
      kept.forEach((stored, index) => void this.state.move(stored, image.places[index]!));
    } else await this.file.append(encodeFrame([{ kind: 'owner', owner, ...owned }]));
    this.state.setOwner(owner, owned);
  }

  /** Put entries behind what is there, as one frame. @throws ERR_OUTBOX_WRITE */
  async append(fresh: readonly NewEntry[], bytesMax: number): Promise<void> {
    const frame = encodeFrame(fresh.flatMap(recordsOf));
    if (this.file.suspect || this.file.bytes + frame.length > bytesMax) this.rewrite();
    const places = placesIn(fresh, this.file.bytes);
    await this.file.append(frame);
    fresh.forEach((entry, index) => void this.state.keep(entry, places[index]!));
  }

  /**
   * Write what counts into a new file and put it in the place of the old one. What is given up and what is new are
   * part of it: after a kill all of that happened or nothing. @throws ERR_OUTBOX_WRITE
   */
  rewrite({ thin, drop }: RoomPlan<Resident> = NOTHING_GOES, fresh: readonly NewEntry[] = []): void {
    const { state } = this;
    const thinned = new Set([...thin].map(({ of }) => of));
    const dropped = new Set([...drop].map(({ of }) => of));
    const gone = state.entries.filter((stored) => dropped.has(stored));
    const kept = state.entries.filter((stored) => !dropped.has(stored));
    const image = this.#image([
      ...kept.map((stored) => (thinned.has(stored) ? thinnedOf(this.#whole(stored)) : this.#whole(stored))),
      ...fresh.map((entry) =>
        thinned.has(entry)
          ? { ...thinnedOf(entry), refused: null }
          : { ...entry, refused: null, thinned: false },
      ),
    ]);
    this.file.replace(image.bytes);
    for (const stored of gone) state.remove(stored);
    kept.forEach((stored, index) => {
      stored.thinned ||= thinned.has(stored);
      state.move(stored, image.places[index]!);
    });
    fresh.forEach((entry, index) => {
      state.keep(entry, image.places[kept.length + index]!, thinned.has(entry));
    });
  }

  #image(entries: readonly ImageEntry[], owners = this.state.owners): Image {
    return imageOf({ device: this.#device, owners, entries });
  }

  #whole(stored: StoredEntry): ImageEntry {
    const { owner, day, sequence, refused, thinned, lean } = stored;
    const entry = { owner, day, sequence, refused, thinned, ...this.read(stored) };
    return lean === null ? entry : { ...entry, lean: this.read(lean) };
  }
}
