import { z } from 'zod';
import { loadConfig } from '../runtime/config.ts';
import type { ConfigKind } from './kinds.ts';
import { PROCESS_CONFIGS } from './process-configs.ts';

/** @throws ERR_CONFIG and its kin, naming the path of each fault */
export async function checkConfig(kind: ConfigKind, file: string): Promise<void> {
  await loadConfig(PROCESS_CONFIGS[kind], { file });
  process.stdout.write(`${file === '-' ? 'standard input' : file}: a valid ${kind} configuration\n`);
}

export function printSchema(kind: ConfigKind): void {
  const schema = z.toJSONSchema(PROCESS_CONFIGS[kind], { io: 'input', unrepresentable: 'any' });
  process.stdout.write(`${JSON.stringify(schema, null, 2)}\n`);
}
