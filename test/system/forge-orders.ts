import { TERMINAL_STATES } from '../../gateway/desk/lifecycle/states.ts';
import type { StoredCommand } from '../../gateway/desk/store/port.ts';
import type { Command } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { signCommand } from '../../protocol/command/signed.ts';
import { cut } from './forge-craft.ts';
import { type ForgeWorld, type Meter, until } from './forge-world.ts';

/** Orders as the people of ores give them to their desk. */
export class Orders {
  readonly #world: ForgeWorld;

  constructor(world: ForgeWorld) {
    this.#world = world;
  }

  propose(command: Command): Promise<StoredCommand> {
    const { office, desk } = this.#world;
    const signed = signCommand({ command, signer: office.signer('operator') });
    return desk.desk.propose({ device: command.device, signed });
  }

  /** Proposed and, where it takes two, approved: by those who may. */
  async give(command: Command): Promise<Command> {
    const { state } = await this.propose(command);
    if (state === 'awaiting-approval')
      await this.#world.desk.desk.approve({ id: command.id, signed: this.#world.signed(command) });
    return command;
  }

  /** Proposed, and not approved by anybody. */
  async half(meter: Meter): Promise<Command> {
    const command = cut(this.#world, meter);
    const { state } = await this.propose(command);
    if (state !== 'awaiting-approval') throw new Error(`a proposal that is ${state}`);
    return command;
  }

  async stored(id: CommandId): Promise<StoredCommand> {
    return (await this.#world.desk.store.command(id))!;
  }

  /** How a command ends: its state, and the code where there is one. */
  async end(id: CommandId): Promise<string> {
    await until('the end of a command', async () => TERMINAL_STATES.includes((await this.stored(id)).state));
    const { state, code } = await this.stored(id);
    return code === null ? state : `${state} ${code}`;
  }
}
