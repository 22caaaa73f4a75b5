import { createHash, type KeyObject } from 'node:crypto';
import { asMessageError } from '../../../protocol/cbor/error.ts';
import { CborReader } from '../../../protocol/cbor/reader.ts';
import { always, fields, unlessEmpty, unlessNull } from '../../../protocol/cbor/record.ts';
import {
  byteString,
  choice,
  integer,
  list,
  literal,
  mapped,
  type Shape,
} from '../../../protocol/cbor/shape.ts';
import { CborWriter } from '../../../protocol/cbor/writer.ts';
import type { Signer } from '../../../protocol/command/signers.ts';
import { COMMAND_TYPES, type CommandType, rowOf } from '../../../protocol/command/table.ts';
import { words } from '../../../protocol/command/words.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { TENANT_SHAPE } from '../../../protocol/identity-shape.ts';
import { COUNTER_MAX, EPOCH_SECONDS_MAX, REASON_LENGTH_MAX } from '../../../protocol/limits.ts';
import { readSigner, type SignerKey, signPayload, verifySigned } from '../../../protocol/signed.ts';
import { campaignError } from './errors.ts';
import { type CampaignId, campaignIdOf, isCampaignId, sha256Hex } from './id.ts';
import { COMMANDS_MAX, MANIFEST_BYTES_MAX, WAVE_SECONDS_MAX, WAVES_MAX } from './limits.ts';

/**
 * What a campaign is, in bytes that have one form (RFC 8949 §4.2.1): whoever submits it signs them, and whoever
 * approves it signs the same ones. `commands` binds every command in its place: SHA-256 over the SHA-256 of each, in
 * their order. The digests themselves are not repeated here; whoever holds the commands has them.
 */
export interface Manifest {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly type: CommandType;
  readonly count: number;
  readonly commands: Uint8Array;
  /** Sizes of the first waves; what is left is the last one. */
  readonly waves: readonly number[];
  /** Of a thousand: above it the campaign stops by itself. */
  readonly errorLimitPermille: number;
  /** How long a wave waits for meters that do not answer: then they count as failed, and it is judged. */
  readonly waveSeconds: number;
  /** Epoch seconds, of every command alike. */
  readonly notBefore: number;
  readonly expiry: number;
  readonly madeAtMs: number;
  readonly reason: string | null;
  /** The campaign whose failures this one repeats. */
  readonly parent: CampaignId | null;
}

const DIGEST_BYTES = 32;
const TYPES = Object.fromEntries(COMMAND_TYPES.map((type) => [type, rowOf(type).number])) as Readonly<
  Record<CommandType, number>
>;
const ID_SHAPE: Shape<CampaignId> = mapped(
  byteString(16, 16),
  'a campaign id',
  (id) => (isCampaignId(id) ? Buffer.from(id, 'hex') : undefined),
  (bytes) => Buffer.from(bytes).toString('hex') as CampaignId,
);

const shape = fields<Manifest>({
  version: always(1, literal(1)),
  tenant: always(2, TENANT_SHAPE),
  type: always(3, choice(TYPES)),
  count: always(4, integer(1, COMMANDS_MAX)),
  commands: always(5, byteString(DIGEST_BYTES, DIGEST_BYTES)),
  waves: unlessEmpty(6, list(integer(1, COMMANDS_MAX), 0, WAVES_MAX)),
  errorLimitPermille: always(7, integer(0, 1_000)),
  waveSeconds: always(8, integer(1, WAVE_SECONDS_MAX)),
  notBefore: always(9, integer(0, EPOCH_SECONDS_MAX)),
  expiry: always(10, integer(0, EPOCH_SECONDS_MAX)),
  madeAtMs: always(11, integer(1, COUNTER_MAX)),
  reason: unlessNull(12, words(1, REASON_LENGTH_MAX)),
  parent: unlessNull(13, ID_SHAPE),
});

const CODES = { schema: 'ERR_CAMPAIGN_MANIFEST', form: 'ERR_CAMPAIGN_MANIFEST' } as const;
const writer = new CborWriter(MANIFEST_BYTES_MAX);

/** @throws ERR_CAMPAIGN_MANIFEST; its context names the field */
export function encodeManifest(manifest: Manifest): Uint8Array {
  try {
    return writer.write(() => shape.write(writer, manifest));
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** @throws ERR_CAMPAIGN_MANIFEST */
export function decodeManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MANIFEST_BYTES_MAX)
    throw campaignError('ERR_CAMPAIGN_MANIFEST', 'larger than a manifest is');
  try {
    const reader = new CborReader(bytes);
    const manifest = shape.read(reader);
    reader.end();
    return manifest;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** SHA-256 of each command in its order, command by command. */
export class CommandsDigest {
  readonly #hash = createHash('sha256');
  count = 0;

  /** @param digest SHA-256 of the command's signed bytes (its payload), hex */
  add(digest: string): void {
    this.#hash.update(Buffer.from(digest, 'hex'));
    this.count += 1;
  }

  end(): Uint8Array {
    return this.#hash.digest();
  }
}

/** By whom a manifest is signed: each signature says its part, so that neither serves as the other. */
export type ManifestPart = 'propose' | 'approve';

/** No topic of a device: `campaign` is no device id. */
const bindingOf = (tenant: TenantId, part: ManifestPart): Uint8Array =>
  Buffer.from(`t/${tenant}/campaign ${part}`, 'latin1');

/** COSE_Sign1 over the manifest. @throws what `encodeManifest` throws */
export function signManifest(manifest: Manifest, part: ManifestPart, signer: SignerKey): Uint8Array {
  return signPayload(encodeManifest(manifest), bindingOf(manifest.tenant, part), signer);
}

export interface SignedManifest {
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes, hex. */
  readonly digest: string;
  readonly id: CampaignId;
  readonly signer: Signer;
}

/**
 * A manifest with whoever signed it in this part.
 * @param trust whom the tenant's office trusts; what it throws goes through
 * @throws ERR_ENVELOPE_SIGNED, ERR_ENVELOPE_SIGNATURE, ERR_CAMPAIGN_MANIFEST
 */
export function verifyManifest({
  signed,
  tenant,
  part,
  trust,
}: {
  readonly signed: Uint8Array;
  readonly tenant: TenantId;
  readonly part: ManifestPart;
  readonly trust: (certificate: Uint8Array) => { readonly publicKey: KeyObject; readonly signer: Signer };
}): SignedManifest {
  const { publicKey, signer } = trust(readSigner(signed));
  const bytes = verifySigned(signed, bindingOf(tenant, part), publicKey);
  const manifest = decodeManifest(bytes);
  if (manifest.tenant !== tenant)
    throw campaignError('ERR_CAMPAIGN_MANIFEST', 'the manifest is of another tenant');
  const digest = sha256Hex(bytes);
  return { manifest, bytes, digest, id: campaignIdOf(digest), signer };
}
