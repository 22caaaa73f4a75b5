import { ANSWER_WITHIN_MS, ModbusBus } from '../../edge/modbus/bus.ts';
import { endpointText } from '../../edge/modbus/endpoint.ts';
import { ModbusMeter } from '../../edge/modbus/meter.ts';
import { endpointOf, type LineFlags, type ProfileFlags, profileOf } from './flags.ts';
import { shownQuantity, table } from './show.ts';

export interface ReadFlags extends LineFlags, ProfileFlags {
  readonly id?: number;
  readonly json?: boolean;
}

/** `hes modbus read`: what one meter says now. @throws ERR_USAGE, ERR_MODBUS_* */
export async function readOnce(flags: ReadFlags): Promise<void> {
  const profile = await profileOf(flags);
  const endpoint = endpointOf(flags, profile.line);
  const unit = flags.id ?? profile.line.unit;
  const bus = new ModbusBus(endpoint, { answerWithinMs: flags.timeout ?? ANSWER_WITHIN_MS });
  try {
    const meter = new ModbusMeter(bus, profile, unit);
    const serial = await meter.serialNumber();
    const { registers, instants, missing } = await meter.read();
    const at = new Date().toISOString();
    const shown = { registers: registers.map(shownQuantity), instants: instants.map(shownQuantity) };
    if (flags.json === true)
      process.stdout.write(
        `${JSON.stringify({ profile: profile.name, unit, serial, at, ...shown, missing })}\n`,
      );
    else
      process.stdout.write(
        `${profile.maker} ${profile.model}\nunit ${unit} at ${endpointText(endpoint)}, serial ${serial ?? 'not told'}\n\n` +
          table([...shown.registers, ...shown.instants]) +
          (missing.length === 0 ? '' : `\nno value for ${missing.join(', ')}\n`),
      );
  } finally {
    await bus.close();
  }
}
