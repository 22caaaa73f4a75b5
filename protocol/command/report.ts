import type { KeyObject } from 'node:crypto';
import { asMessageError, fits } from '../cbor/error.ts';
import { CborReader } from '../cbor/reader.ts';
import { always, fields, unlessNull } from '../cbor/record.ts';
import { byteString, choice, integer, type Shape } from '../cbor/shape.ts';
import { versionOne } from '../cbor/version.ts';
import { CborWriter } from '../cbor/writer.ts';
import { HesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from '../identity-shape.ts';
import {
  CERTIFICATE_BYTES_MAX,
  EPOCH_SECONDS_MAX,
  REPORT_BYTES_MAX,
  REPORT_SIGNED_BYTES_MAX,
  SEQUENCE_MAX,
} from '../limits.ts';
import { type SignerKey, signPayload, verifySigned } from '../signed.ts';
import { upTopic } from '../topics.ts';
import { PLANS, type Plan } from './tariff.ts';

/** What a device says of itself where nobody asked: its state, or its new key. Signed by the device for the desk. */

export type ReportedBreaker = 'open' | 'closed' | 'armed';
export type ReportedCredit = 'credit' | 'prepaid';

interface About {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  /** Epoch seconds, the device's clock. */
  readonly time: number;
}

/**
 * What changed at the meter itself: somebody pressed the button, ended airplane mode, or credit ran out. It says what
 * holds now, not what happened: one that is lost is made good by the next. It holds no reading.
 */
export interface StateReport extends About {
  /** Epoch seconds; null where the meter is not in airplane mode. */
  readonly airplaneSince: number | null;
  /** Null where there is none. */
  readonly breaker: ReportedBreaker | null;
  readonly creditMode: ReportedCredit;
  /** The plan that holds at `time`. */
  readonly tariffPlan: Plan;
}

/**
 * The certificate (DER) of the key that commands are to be sealed to from now on. It goes to a guest's desk too, which
 * is told nothing else: whether a household prepays is its home operator's to know.
 */
export interface KeyReport extends About {
  readonly certificate: Uint8Array;
}

export type Report = StateReport | KeyReport;

export const isKeyReport = (report: Report): report is KeyReport => 'certificate' in report;

interface Wire extends About {
  readonly version: 1;
  readonly airplaneSince: number | null;
  readonly breaker: ReportedBreaker | null;
  readonly creditMode: ReportedCredit | null;
  readonly tariffPlan: Plan | null;
  readonly certificate: Uint8Array | null;
}

/** The payload of t/{tenant}/{device}/up/event. The router passes the report to the desk as it is. */
export interface ReportEvent {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly device: DeviceId;
  /** Strictly rising per device and tenant, among events; what a receipt names. */
  readonly sequence: number;
  /** What `signReport` made. */
  readonly report: Uint8Array;
}

const REPORT_VERSION = versionOne('ERR_REPORT_VERSION', 'a version of reports');

/** As P1 prints it on 0-0:96.3.10: no supply, supply, ready for the person on site. */
const BREAKERS: Readonly<Record<ReportedBreaker, number>> = { open: 0, closed: 1, armed: 2 };
const CREDITS: Readonly<Record<ReportedCredit, number>> = { credit: 0, prepaid: 1 };
const PLAN_NUMBERS = Object.fromEntries(
  Object.entries(PLANS).map(([plan, { number }]) => [plan, number]),
) as Readonly<Record<Plan, number>>;

const epochSeconds = integer(0, EPOCH_SECONDS_MAX);

const wireShape = fields<Wire>({
  version: always(1, REPORT_VERSION),
  tenant: always(2, TENANT_SHAPE),
  device: always(3, DEVICE_SHAPE),
  time: always(4, epochSeconds),
  airplaneSince: unlessNull(5, epochSeconds),
  breaker: unlessNull(6, choice(BREAKERS)),
  creditMode: unlessNull(7, choice(CREDITS)),
  tariffPlan: unlessNull(8, choice(PLAN_NUMBERS)),
  certificate: unlessNull(9, byteString(1, CERTIFICATE_BYTES_MAX)),
});

const NOTHING_SAID = {
  airplaneSince: null,
  breaker: null,
  creditMode: null,
  tariffPlan: null,
  certificate: null,
} as const;

/** One of the two, and nothing of the other: each message has one form. */
const reportShape: Shape<Report> = {
  write(target, report) {
    const wire: Wire = { ...NOTHING_SAID, ...report, version: 1 };
    reportOf(wire);
    wireShape.write(target, wire);
  },
  read: (reader) => reportOf(wireShape.read(reader)),
};

function reportOf({ version: _, certificate, ...said }: Wire): Report {
  const { tenant, device, time, creditMode, tariffPlan, ...rest } = said;
  const about = { tenant, device, time };
  if (certificate === null) {
    fits(creditMode !== null && tariffPlan !== null, 'a state or a certificate');
    return { ...about, ...rest, creditMode, tariffPlan };
  }
  const state = [creditMode, tariffPlan, ...Object.values(rest)];
  fits(
    state.every((value) => value === null),
    'a state or a certificate, not both',
  );
  return { ...about, certificate };
}

const eventShape = fields<ReportEvent>({
  version: always(1, REPORT_VERSION),
  tenant: always(2, TENANT_SHAPE),
  device: always(3, DEVICE_SHAPE),
  // The key of an index's sequence too: `claimedSequence` finds either.
  sequence: always(4, integer(1, SEQUENCE_MAX)),
  report: always(5, byteString(1, REPORT_SIGNED_BYTES_MAX)),
});

const CODES = { schema: 'ERR_REPORT_SCHEMA', form: 'ERR_REPORT_CBOR' } as const;
const EVENT_OVERHEAD_BYTES = 64;
const writer = new CborWriter(REPORT_SIGNED_BYTES_MAX + EVENT_OVERHEAD_BYTES);

function encode<T>(shape: Shape<T>, value: T): Uint8Array {
  try {
    return writer.write(() => shape.write(writer, value));
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

function decode<T>(shape: Shape<T>, bytes: Uint8Array, bytesMax: number): T {
  if (bytes.length > bytesMax)
    throw new HesError('ERR_REPORT_CBOR', 'larger than the limit', {
      context: { length: bytes.length, lengthMax: bytesMax },
    });
  try {
    const reader = new CborReader(bytes);
    const value = shape.read(reader);
    reader.end();
    return value;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** @throws ERR_REPORT_SCHEMA */
export function encodeReport(report: Report): Uint8Array {
  return encode(reportShape, report);
}

/** @throws ERR_REPORT_CBOR, ERR_REPORT_VERSION, ERR_REPORT_SCHEMA */
export function decodeReport(bytes: Uint8Array): Report {
  return decode(reportShape, bytes, REPORT_BYTES_MAX);
}

/** @throws ERR_REPORT_SCHEMA */
export function encodeEvent(event: ReportEvent): Uint8Array {
  return encode(eventShape, event);
}

/** @throws ERR_REPORT_CBOR, ERR_REPORT_VERSION, ERR_REPORT_SCHEMA */
export function decodeEvent(bytes: Uint8Array): ReportEvent {
  return decode(eventShape, bytes, REPORT_SIGNED_BYTES_MAX + EVENT_OVERHEAD_BYTES);
}

/** The topic of events and, after it, what tells a report from the message that carries it. */
const reportAad = ({ tenant, device }: { tenant: TenantId; device: DeviceId }): Uint8Array =>
  Buffer.from(`${upTopic(tenant, device, 'event')} report`, 'latin1');

/**
 * COSE_Sign1 by the device's signature key, never mistaken for an uplink or an outcome.
 * @throws ERR_REPORT_SCHEMA, ERR_ENVELOPE_SIZE
 */
export function signReport({
  report,
  signer,
}: {
  readonly report: Report;
  readonly signer: SignerKey;
}): Uint8Array {
  return signPayload(encodeReport(report), reportAad(report), signer);
}

/**
 * What a device says of itself; its certificate is `readSigner`'s and the caller's to trust.
 * @throws ERR_ENVELOPE_SIGNED; ERR_ENVELOPE_SIGNATURE where it does not hold: altered, by another key, or of another
 *   tenant, device or kind; ERR_REPORT_*; ERR_REPORT_OTHER where it is about another device than `about`
 */
export function verifyReport(message: {
  readonly signed: Uint8Array;
  readonly about: { readonly tenant: TenantId; readonly device: DeviceId };
  readonly publicKey: KeyObject;
}): Report {
  const { signed, about, publicKey } = message;
  const report = decodeReport(verifySigned(signed, reportAad(about), publicKey));
  if (report.tenant !== about.tenant || report.device !== about.device)
    throw new HesError('ERR_REPORT_OTHER', 'about another tenant or device');
  return report;
}
