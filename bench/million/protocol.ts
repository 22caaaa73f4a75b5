import type { TenantId } from '../../protocol/identity.ts';
import type { MetersSetup } from '../day/protocol.ts';

/** What the benchmark tells the process that plays the meters, as JSON on its standard input. */
export interface BacklogSetup {
  readonly port: number;
  /** The folder of the development PKI that the meters are enrolled in. */
  readonly pki: string;
  readonly owners: readonly { readonly tenant: TenantId; readonly recipient: MetersSetup['recipient'] }[];
  readonly meters: number;
  /** Daily indexes in all, and so many of them in one connection. */
  readonly indexes: number;
  readonly backlog: number;
  readonly atOnce: number;
}

export type BacklogMessage =
  | { readonly enrolled: number }
  | { readonly delivered: number; readonly done: boolean }
  | { readonly failed: string };
