/**
 * The trust face of this room: everything that a front, a router, a desk or a device needs to decide whom to
 * believe, on node:crypto alone. Nothing here can issue a certificate.
 */

export { PKI_ERRORS, type PkiErrorCode } from './errors.ts';
export {
  type DeviceIdentity,
  type KeyAndCertificate,
  type OfficeAnchors,
  type OwnerKey,
  parseDeviceIdentity,
  readDeviceIdentity,
} from './identity.ts';
export { openSealingKey } from './keys/key-places.ts';
export {
  type KeyFiles,
  loadDeskServerKey,
  loadSealingKey,
  loadServerKey,
  type ServerKey,
} from './keys/keys.ts';
export { checkServerKey } from './keys/server-key.ts';
export { applyNotice, type CheckedNotice, noticeSealingKid, readNotice, withNotice } from './notice/apply.ts';
export { officeTrustOf } from './office/device.ts';
export {
  createOfficeTrust,
  OFFICE_PEOPLE_MAX,
  type OfficeCaller,
  type OfficeSigner,
  type OfficeTrust,
  type OfficeTrustOptions,
} from './office/trust.ts';
export type { PinnedIssuer } from './verify/anchors.ts';
export {
  createDeviceTrust,
  type DeviceTrust,
  type DeviceTrustOptions,
  SIGNERS_MAX,
} from './verify/device-trust.ts';
export { type Ending, endOfCertificate } from './verify/endings.ts';
export type { RevocationList } from './verify/revocations.ts';
export { KID_BYTES, type Recipient, recipientOf, sealingKid } from './verify/sealing.ts';
export { TLS_PARAMETERS } from './verify/tls-parameters.ts';
export {
  createTlsTrust,
  identityOfTlsCertificate,
  TLS_IDENTITIES_MAX,
  type TlsIdentity,
  type TlsTrust,
  type TlsTrustOptions,
} from './verify/tls-trust.ts';
export type { OfficeName } from './x509/names.ts';
