import type { CommandId } from '../../protocol/command/id.ts';
import { presetWindows } from '../../protocol/command/presets.ts';
import type { Plan } from '../../protocol/command/tariff.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { Answer, DeskFace, Hand, Told } from './marco-desk.ts';

/**
 * A SIMULATED customer-service system: somebody telephones and wants another tariff, and it asks the desk as the
 * system `lopex` does, with the number of the case as the reason.
 */
export class Lopex {
  readonly #desk: DeskFace;
  readonly #hand: Hand;
  readonly #tenant: TenantId;

  constructor(tenant: TenantId, desk: DeskFace, hand: Hand) {
    this.#tenant = tenant;
    this.#desk = desk;
    this.#hand = hand;
  }

  /** @param from the local day on which it begins, `YYYY-MM-DD`; the windows are those of the region then */
  changeTariff(about: {
    readonly device: DeviceId;
    readonly plan: Plan;
    readonly from: string;
    readonly caseNumber: string;
  }): Promise<Told> {
    return this.#desk.propose(this.#tariff(about));
  }

  /** A whole list in one call, all to the same plan. */
  async changeTariffs(
    devices: readonly DeviceId[],
    to: { readonly plan: Plan; readonly from: string; readonly caseNumber: string },
  ): Promise<readonly { readonly id: CommandId; readonly answer: Answer }[]> {
    const proposals = devices.map((device) => this.#tariff({ device, ...to }));
    const answers = await this.#desk.bulk(proposals);
    return proposals.map(({ id }, at) => ({ id, answer: answers[at]! }));
  }

  #tariff(about: { device: DeviceId; plan: Plan; from: string; caseNumber: string }) {
    const { device, plan, from, caseNumber } = about;
    const windows = presetWindows(this.#tenant, plan, from);
    if (windows === undefined) throw new Error(`the region has no plan ${plan} on ${from}`);
    return this.#hand.propose(device, 'tariff.set', { plan, windows, from }, caseNumber);
  }
}
