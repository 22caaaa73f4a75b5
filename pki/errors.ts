import { type ErrorContext, HesError } from '../protocol/errors.ts';

/** Every error that this room throws: what it means and what to do about it. */
export const PKI_ERRORS = {
  ERR_TRUST_MALFORMED:
    'A certificate or revocation list is no strict DER of the shape that this system issues; it is refused unread.',
  ERR_TRUST_ROOT:
    'The root of field or office is no self-signed CA certificate of the root profile under that name. Check the path in the configuration.',
  ERR_TRUST_AUTHORITY:
    'A pinned issuing CA is not signed by its root (field or office), is no CA of depth 0 of that world, is not vouched for by the field CA of its tenant, or names another tenant. Check which file is configured for which tenant.',
  ERR_TRUST_ISSUER:
    'The certificate was issued by nobody who is trusted here: another root (field for office, or the reverse), another tenant whose guests are not accepted, or a certificate that is no CA.',
  ERR_TRUST_SIGNATURE:
    'The certificate names a trusted issuing CA but does not carry its signature: it was tampered with.',
  ERR_TRUST_SERIAL:
    'Two certificates of one issuing CA have the same serial number, so that a revocation could not tell them apart: the CA is broken, or its key is used by somebody else. The certificate that came second is refused; find out who made it.',
  ERR_TRUST_PROFILE:
    'The certificate is genuine but was issued for another use (TLS, signature, command signature, key agreement, sealing), or is a CA.',
  ERR_TRUST_IDENTITY:
    'The names in the certificate disagree: CN and SAN URIs must name one device, and one of them the tenant whose CA issued it; or one person, system or desk of that tenant.',
  ERR_TRUST_TENANT: 'The device is no guest of this tenant: its certificate does not name the tenant.',
  ERR_TRUST_DEVICE: 'The certificate belongs to another device than the one that sent it.',
  ERR_TRUST_NOT_YET_VALID:
    'The certificate, or a CA above it, is not valid yet. Check the clocks of both sides.',
  ERR_TRUST_EXPIRED: 'The certificate, or a CA above it, has expired. It has to be renewed.',
  ERR_TRUST_REVOKED: 'The issuing CA has revoked the certificate.',
  ERR_TRUST_CRL:
    'A revocation list is not signed by a pinned issuing CA, is older than the one in use, or is missing after an earlier one. The list in use is kept.',
  ERR_TRUST_CRL_STALE:
    'The issuing CA has not published a revocation list in time. Publish a new one; until then its devices wait.',
  ERR_TRUST_NOTICE:
    "An operator's notice would take a device back: it is signed by an older issuing CA than the one in use, or names another office root. Nothing of it is taken.",
  ERR_TRUST_DEVELOPMENT:
    'Development keys were met where development mode was not asked for. Use keys of the production PKI, or say development: true.',
  ERR_TRUST_KEY:
    'A key file does not fit its certificate, or the certificate does not fit its purpose. Check both paths.',
  ERR_PKI_ABSENT: 'There is no PKI in this folder. Run `hes pki init`, or name another folder.',
  ERR_PKI_DAMAGED:
    'A file of the PKI is missing or cannot be read as what it should be. Restore it, or remove the folder to make a new PKI (devices must then be enrolled again).',
  ERR_PKI_RIGHTS:
    'A file or folder of the PKI may not be read or written by this user. Mend its owner or mode.',
  ERR_PKI_EXISTS: 'There is a PKI in this folder already; it is never overwritten.',
  ERR_PKI_DEVELOPMENT:
    'Development keys are opened only where development mode is asked for by name. Production keys are made by the production PKI.',
  ERR_PKI_TENANT: 'The PKI holds no issuing CA for this tenant, or a device was asked for with wrong guests.',
  ERR_PKI_EXPIRED:
    'A CA of the development PKI has expired. Remove the folder to make a new one (devices must then be enrolled again).',
  ERR_PKI_BUSY: 'Another process is changing the revocation list; it did not finish in time. Try again.',
  ERR_PKI_IDENTITY: 'A device identity file is damaged or of another version. Enrol the device again.',
  ERR_PKI_OFFICE:
    'The identity file of a person or system is damaged, of another version, holds a key that is not encrypted, or a certificate of another key, use or person. Have it issued again.',
  ERR_PKI_PASSPHRASE:
    'The passphrase does not open the keys of this identity, or there is none in the file that was named.',
  ERR_PKI_WEAK:
    'A passphrase is too short or too simple for what it protects. Take a longer one, as six words at random.',
  ERR_ENROL_REQUEST:
    'An enrolment request is damaged, too large, of another version, or asks in one of its certificate requests for something else than it says. Have the device write it again.',
  ERR_ENROL_KEY:
    'A key of an enrolment request is no P-256 key, does not sign its own request, is there twice, came with another request before, or was revoked. A device makes three keys of its own.',
  ERR_ENROL_ANSWER:
    "The answer to an enrolment request is damaged, or answers another request than the one whose keys this device holds. Fetch the answer to this device's request.",
  ERR_ENROL_ROOT:
    'Nobody has confirmed the field root of the answer, or it is another one than was confirmed. Compare its fingerprint with what the operator published, over another way than the answer came.',
  ERR_ENROL_PENDING:
    'A request is pending for other tenants or another root, or none is pending where one is needed. Go on with the pending one, or remove the file that the message names to begin anew.',
  ERR_ENROL_EXISTS:
    'This device has an identity already; it is never overwritten. Move the file away to enrol the device anew.',
  ERR_CA_REGISTER:
    'The register of an authority cannot be opened or written: it is damaged, held too long by another process, of another owner or of a newer version. Nothing was issued.',
  ERR_CA_DEVICE:
    'A device asks that nobody expects: it was not registered beforehand, belongs to another tenant, or was retired. Register it first (`hes pki register`).',
  ERR_CA_KEY:
    'A key cannot be certified: it is no P-256 key, or it was certified before for another use or name, or was revoked. Make a new key.',
  ERR_CA_PROFILE:
    'This CA issues no such certificate, or not under such a name. Check the profile, the tenant and the names.',
  ERR_CA_SERIAL:
    'A CA was about to give, or to enter, a second certificate under one of its serial numbers: a revocation could not tell them apart. Nothing was issued. Either the source of random numbers is broken, or somebody else signs with the key of this CA: find out before it goes on.',
  ERR_CA_CERTIFICATE:
    'There is no such certificate of this CA, or it was revoked or is over and cannot be renewed.',
  ERR_CA_CODE:
    'A one-time code is unknown, over, or was used before. Have a new one made (`hes pki register --code`).',
  ERR_CA_CONFLICT:
    'A device is registered already with other tenants, another serial number or another birth key; or a list of devices is no list of devices.',
  ERR_ROLLOVER_NONE: 'No roll-over of this operator is under way. Start one (`hes pki rollover start`).',
  ERR_ROLLOVER_UNDER_WAY:
    'A roll-over of this operator is under way already: there is one at a time. `hes pki rollover status` says how far it is.',
  ERR_ROLLOVER_EARLY:
    'A step of a roll-over before its date: the new key may not be in force everywhere yet, or readings may still come that only the old one opens. Wait until the date that the message says.',
  ERR_ROLLOVER_USED:
    'The old CA cannot be retired without loss: certificates of it are in use. Renew them first, or say that they are to be refused.',
  ERR_EST_CLIENT:
    'Who asks for a certificate over EST has not shown who he is: no one-time code, no birth certificate of a manufacturer that is listed, no certificate in use of a device of this CA, or one that is over or revoked.',
  ERR_EST_ENROLLED:
    'A first enrolment of a device that has a certificate for this use, or a renewal of one that has none. Renew by the current certificate (simplereenroll); where it is lost, revoke it and make a one-time code.',
  ERR_EST_REQUEST:
    'A request to the EST server is none of RFC 7030: path, method, media type, length, or a body that is no base64 of a PKCS#10 request.',
  ERR_EST_REPLACED:
    'The issuing CA was replaced in a roll-over, and the service has not opened the new one yet. Whoever asks comes again.',
  ERR_EST_RATE: 'More requests came from one address within a minute than the configuration allows. Wait.',
  ERR_EST_NOTICE:
    'The EST server has no notice of a tenant whose meter hangs on a device that enrols. Its operator publishes its own (`hes pki`), and lists those of guests as `notices` of `hes ca`.',
  ERR_EST_URL: 'An EST server is named otherwise than as https://host[:port].',
  ERR_EST_UNREACHABLE:
    'The EST server did not answer in time, or is not the one that it should be: its certificate must name the host and be under the field root that the device pinned. The cause says which. It is tried again later.',
  ERR_EST_REFUSED:
    'The EST server knows who asks and says no, or does not know; its own words say why. What it refuses for good (401, 403) needs its operator: a new one-time code, or an enrolment anew.',
  ERR_EST_LATER: 'The EST server asks to come back later.',
  ERR_EST_ANSWER:
    'What the EST server answered is damaged, too long, or nothing that was asked for. Nothing of it was taken.',
  ERR_EST_LISTEN: 'The EST server cannot listen where its configuration says. The cause says why.',
  ERR_PKI_PKCS12:
    'The key, the chain or the password given for a PKCS#12 export cannot be used; the message says which.',
} as const;

export type PkiErrorCode = keyof typeof PKI_ERRORS;

/** One error of this room; `context` carries file names and sizes, never a name that leads to a person. */
export function pkiError(
  code: PkiErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<PkiErrorCode> {
  return new HesError(code, message, {
    ...(options.cause === undefined ? {} : { cause: options.cause }),
    ...(options.context === undefined ? {} : { context: options.context }),
  });
}
