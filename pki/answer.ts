import { z } from 'zod';
import { type DeviceId, isDeviceId, type TenantId } from '../protocol/identity.ts';
import type { OwnerKey } from './identity.ts';
import { guestsSchema, parseDocument, pemSchema, requestIdSchema, tenantSchema } from './request.ts';

/** What the issuing CA of the home tenant answers to an enrolment request: certificates and names, no private key. */
export interface EnrolmentAnswer {
  readonly type: 'hes-enrolment-answer';
  readonly version: 1;
  /** Which request this answers. */
  readonly request: string;
  /** The pseudonym that the issuer drew. */
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  /** PEM, one certificate each. */
  readonly tls: string;
  readonly sign: string;
  readonly agree: string;
  /** The certificate of the home tenant's issuing CA, which signed the three. */
  readonly issuer: string;
  readonly root: string;
  /** The sealing keys of home and guests. */
  readonly owners: Readonly<Record<string, OwnerKey>>;
}

/** With seventeen owners, each with a chain of two certificates of 1 KiB, and room. */
export const ANSWER_BYTES_MAX = 131_072;

const answerSchema = z.strictObject({
  type: z.literal('hes-enrolment-answer'),
  version: z.literal(1),
  request: requestIdSchema,
  device: z.custom<DeviceId>(isDeviceId, 'no device id'),
  home: tenantSchema,
  guests: guestsSchema,
  tls: pemSchema,
  sign: pemSchema,
  agree: pemSchema,
  issuer: pemSchema,
  root: pemSchema,
  owners: z.record(
    tenantSchema,
    z.strictObject({ kid: z.string().regex(/^[0-9a-f]{16}$/), certificate: pemSchema }),
  ),
});

/** Read the document; what it says has still to be checked (answer-accept.ts). @throws ERR_ENROL_ANSWER */
export function parseEnrolmentAnswer(text: string): EnrolmentAnswer {
  return parseDocument(text, {
    schema: answerSchema,
    bytesMax: ANSWER_BYTES_MAX,
    code: 'ERR_ENROL_ANSWER',
    what: 'enrolment answer',
  });
}
