import { stringify } from 'yaml';
import { builtInProfiles, profileSource } from '../../edge/modbus/profiles.ts';

/** `hes modbus profiles`. @throws ERR_MODBUS_PROFILE */
export async function showProfiles(name: string | undefined): Promise<void> {
  if (name === undefined)
    for (const { name: own, maker, model } of builtInProfiles())
      process.stdout.write(`${own.padEnd(10)} ${maker}, ${model}\n`);
  else process.stdout.write(stringify(profileSource(name), { aliasDuplicateObjects: false }));
}
