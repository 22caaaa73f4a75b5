import { asMessageError, CborError } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import { row } from './cbor/record.ts';
import { byteString, choice, type Shape } from './cbor/shape.ts';
import { CborWriter } from './cbor/writer.ts';
import type { TenantId } from './identity.ts';
import { TENANT_SHAPE } from './identity-shape.ts';
import { COMMAND_SEALED_BYTES_MAX, NOTICE_BYTES_MAX } from './limits.ts';

/**
 * What desk, front and router say to each other over the bus of one tenant about commands. The device is the
 * address of each request; what is said about it is here. Nobody believes any of it further than it goes: a command
 * is signed for its device, an outcome by it.
 */

/** Desk to front: something for a device that may be connected there. */
export interface Downlink {
  /** Whose device it is: its session is with its home, also where a guest of it commands its own channel. */
  readonly home: TenantId;
  /** COSE_Encrypt; empty only asks whether the device is there. */
  readonly sealed: Uint8Array;
  /** The tenant's word to the device (notice.ts), which is written before the command. */
  readonly notice?: Uint8Array;
}

/**
 * What the front did: `written` to the socket of the device, which has not answered yet; `present`, where nothing was
 * to be written; `absent`: not connected, or not listening for commands of this tenant; `busy`: connected, and not
 * reading what was written before. After `absent` and `busy` the device certainly has nothing of it.
 */
export const DOWNLINK_ANSWERS = { written: 0, present: 1, absent: 2, busy: 3 } as const;
export type DownlinkAnswer = { readonly kind: keyof typeof DOWNLINK_ANSWERS };

/** Front to desk: a device listens for commands from now on. */
export interface Awake {
  readonly home: TenantId;
}

/** Why a desk will never take what a device signed: its signature, its bytes, itself; or it was given no such command. */
export const DESK_REFUSALS = { signature: 1, schema: 2, identity: 3, revoked: 4, command: 5 } as const;
export type DeskRefusal = keyof typeof DESK_REFUSALS;

/** What a desk answers to router and front. `taken`: it is durable, and what follows from it is on its way. */
export type DeskAnswer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly code: DeskRefusal }
  | { readonly kind: 'later' };

const TAKEN = 0;
const REFUSED = 1;
const LATER = 2;

/** The heads of an array, a tenant and a byte string. */
const OVERHEAD_BYTES = 64;
const writer = new CborWriter(COMMAND_SEALED_BYTES_MAX + NOTICE_BYTES_MAX + OVERHEAD_BYTES);

const sealedShape = byteString(0, COMMAND_SEALED_BYTES_MAX);
const noticeShape = byteString(1, NOTICE_BYTES_MAX);
const downlinkShape: Shape<Downlink> = {
  write(target, { home, sealed, notice }) {
    target.array(notice === undefined ? 2 : 3);
    TENANT_SHAPE.write(target, home);
    sealedShape.write(target, sealed);
    if (notice !== undefined) noticeShape.write(target, notice);
  },
  read(reader) {
    const count = reader.array(2, 3);
    const home = TENANT_SHAPE.read(reader);
    const sealed = sealedShape.read(reader);
    return { home, sealed, ...(count === 2 ? {} : { notice: noticeShape.read(reader) }) };
  },
};
const awakeShape = row<Awake>({ home: TENANT_SHAPE });
const answerShape = row<DownlinkAnswer>({ kind: choice(DOWNLINK_ANSWERS) });
const refusalShape = choice<DeskRefusal>(DESK_REFUSALS);

const deskAnswerShape: Shape<DeskAnswer> = {
  write(target, answer) {
    target.array(answer.kind === 'refused' ? 2 : 1);
    if (answer.kind === 'refused') {
      target.integer(REFUSED);
      refusalShape.write(target, answer.code);
    } else target.integer(answer.kind === 'taken' ? TAKEN : LATER);
  },
  read(reader) {
    const count = reader.array(1, 2);
    const kind = reader.integer();
    if (kind === REFUSED && count === 2) return { kind: 'refused', code: refusalShape.read(reader) };
    if (kind === TAKEN && count === 1) return { kind: 'taken' };
    if (kind === LATER && count === 1) return { kind: 'later' };
    throw new CborError('ERR_CBOR_SCHEMA', 'expected an answer of a desk');
  },
};

const CODES = { schema: 'ERR_DOWNLINK', form: 'ERR_DOWNLINK' } as const;

function encode<T>(shape: Shape<T>, value: T): Uint8Array {
  try {
    return writer.write(() => shape.write(writer, value));
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

function decode<T>(shape: Shape<T>, bytes: Uint8Array): T {
  try {
    const reader = new CborReader(bytes);
    const value = shape.read(reader);
    reader.end();
    return value;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** The body of `down.command`. @throws ERR_DOWNLINK */
export const encodeDownlink = (downlink: Downlink): Uint8Array => encode(downlinkShape, downlink);
/** `sealed` and `notice` are views of the bytes. @throws ERR_DOWNLINK */
export const decodeDownlink = (bytes: Uint8Array): Downlink => decode(downlinkShape, bytes);

/** The answer to `down.command`. @throws ERR_DOWNLINK */
export const encodeDownlinkAnswer = (answer: DownlinkAnswer): Uint8Array => encode(answerShape, answer);
/** @throws ERR_DOWNLINK */
export const decodeDownlinkAnswer = (bytes: Uint8Array): DownlinkAnswer => decode(answerShape, bytes);

/** The body of `desk.awake`. @throws ERR_DOWNLINK */
export const encodeAwake = (awake: Awake): Uint8Array => encode(awakeShape, awake);
/** @throws ERR_DOWNLINK */
export const decodeAwake = (bytes: Uint8Array): Awake => decode(awakeShape, bytes);

/** The answer to `desk.awake`, `desk.outcome` and `desk.report`. @throws ERR_DOWNLINK */
export const encodeDeskAnswer = (answer: DeskAnswer): Uint8Array => encode(deskAnswerShape, answer);
/** @throws ERR_DOWNLINK */
export const decodeDeskAnswer = (bytes: Uint8Array): DeskAnswer => decode(deskAnswerShape, bytes);
