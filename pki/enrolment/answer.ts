import { z } from 'zod';
import { type DeviceId, isDeviceId, type TenantId } from '../../protocol/identity.ts';
import type { OwnerKey } from '../identity.ts';
import type { VouchedOffice } from '../office/anchors.ts';
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
  /** The offices of home and guests; none in what a CA without an office answered. */
  readonly office?: VouchedOffice | undefined;
}

/** With seventeen owners, each with three certificates of 1 KiB, and room. */
export const ANSWER_BYTES_MAX = 131_072;

/** An ES256 signature in DER has at most 72 bytes. */
const VOUCHER_CHARACTERS_MAX = 96;

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
  office: z
    .strictObject({
      root: pemSchema,
      issuers: z.record(tenantSchema, pemSchema),
      vouchers: z.record(tenantSchema, z.base64().max(VOUCHER_CHARACTERS_MAX)),
    })
    .optional(),
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
