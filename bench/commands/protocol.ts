import type { TenantId } from '../../protocol/identity.ts';

/** What the benchmark and the process that plays the awake meters say to each other. */

export interface AwakeSetup {
  /** The folder of the development PKI that the meters are enrolled in. */
  readonly pki: string;
  readonly tenant: TenantId;
  readonly meters: number;
  /** Connections that are being made at once. */
  readonly atOnce: number;
}

/** A line of the registry that the desk is given. */
export interface EnrolledMeter {
  readonly device: string;
  /** Of its key agreement, PEM. */
  readonly certificate: string;
}

export type ToMeters = { readonly connect: { readonly port: number } };

export type FromMeters =
  | { readonly enrolled: readonly EnrolledMeter[] }
  | { readonly awake: number }
  /** Commands executed, results that have their receipt, and how often one was asked to come again. */
  | { readonly executed: number; readonly receipted: number; readonly retried: number }
  | { readonly failed: string };
