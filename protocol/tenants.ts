import type { TenantId } from './identity.ts';
import type { Medium } from './reading.ts';

/** The consortium: who shares the head-end, and which media each of them meters. */
export interface Tenant {
  readonly id: TenantId;
  readonly name: string;
  readonly media: readonly Medium[];
}

const row = (id: string, name: string, ...media: Medium[]): Tenant => ({ id: id as TenantId, name, media });

export const CONSORTIUM: readonly Tenant[] = [
  row('ores', 'ORES', 'electricity', 'gas'),
  row('fluvius', 'Fluvius', 'electricity', 'gas', 'heat'),
  row('resa', 'Resa', 'electricity', 'gas'),
  row('sibelga', 'Sibelga', 'electricity', 'gas'),
  row('pidpa', 'Pidpa', 'water'),
  row('dewatergroep', 'De Watergroep', 'water'),
  row('farys', 'Farys', 'water'),
];
