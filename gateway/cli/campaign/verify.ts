import { verifyCommand } from '../../../protocol/command/signed.ts';
import { checkSigners, type Signer } from '../../../protocol/command/signers.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { type CampaignId, sha256Hex } from '../../desk/campaigns/id.ts';
import {
  CommandsDigest,
  type Manifest,
  type SignedManifest,
  verifyManifest,
} from '../../desk/campaigns/manifest.ts';
import { altered } from './altered.ts';
import { Variants } from './render.ts';
import type { Trust } from './trust.ts';

/**
 * Whether what a desk shows is what a person submitted. The desk is not believed: the manifest is taken out of its
 * signature, the id out of the manifest, and each command out of its own signature; together they are what the
 * manifest says, or nothing is signed.
 */

/** @throws ERR_OP_ALTERED */
export function submittedManifest(
  proposal: Uint8Array,
  { id, tenant, trust }: { readonly id: CampaignId; readonly tenant: TenantId; readonly trust: Trust },
): SignedManifest {
  let said: SignedManifest;
  try {
    said = verifyManifest({ signed: proposal, tenant, part: 'propose', trust });
  } catch (error) {
    if (isHesError(error) && /^ERR_(ENVELOPE|CAMPAIGN)/.test(error.code))
      throw altered(`the manifest does not hold (${error.message})`);
    throw error;
  }
  if (said.id !== id) throw altered('the manifest is that of another campaign');
  checkSigners(said.manifest.type, [said.signer], 'proposed');
  return said;
}

/** Takes the commands one after the other, in the order of the manifest. */
export class CommandsCheck {
  readonly #manifest: Manifest;
  readonly #submitter: Signer;
  readonly #trust: Trust;
  readonly #sum = new CommandsDigest();
  readonly #devices = new Set<DeviceId>();
  readonly variants = new Variants();
  /** SHA-256 of each, hex. */
  readonly digests: string[] = [];

  constructor({ manifest, signer }: SignedManifest, trust: Trust) {
    this.#manifest = manifest;
    this.#submitter = signer;
    this.#trust = trust;
  }

  /** @throws ERR_OP_ALTERED; what the trust throws */
  add({ device, signed }: { readonly device: DeviceId; readonly signed: Uint8Array }): void {
    const { tenant, type, notBefore, expiry } = this.#manifest;
    const n = this.#sum.count;
    const signers: Signer[] = [];
    let verified: ReturnType<typeof verifyCommand>;
    try {
      verified = verifyCommand({
        signed,
        binding: { tenant, device },
        stage: 'proposed',
        keyOf: (certificate) => {
          const { publicKey, signer } = this.#trust(certificate);
          signers.push(signer);
          return publicKey;
        },
      });
    } catch (error) {
      if (isHesError(error) && error.code.startsWith('ERR_COMMAND_'))
        throw altered(`command ${n} does not hold (${error.message})`);
      throw error;
    }
    const { command, payload } = verified;
    if (command.type !== type) throw altered(`command ${n} is of another type`);
    if (command.notBefore !== notBefore || command.expiry !== expiry)
      throw altered(`command ${n} is valid at another time`);
    if (signers[0]!.person !== this.#submitter.person) throw altered(`command ${n} is by another person`);
    if (this.#devices.has(device)) throw altered(`command ${n} is for a device that has one already`);
    this.#devices.add(device);
    const digest = sha256Hex(payload);
    this.#sum.add(digest);
    this.digests.push(digest);
    this.variants.add(command);
  }

  /** All are there, in their order, and nothing else. @throws ERR_OP_ALTERED */
  end(): void {
    const { count, commands } = this.#manifest;
    if (this.#sum.count !== count)
      throw altered(`${this.#sum.count} commands, and the manifest has ${count}`);
    if (Buffer.compare(this.#sum.end(), commands) !== 0)
      throw altered('the commands are not those of the manifest, or not in its order');
  }
}
