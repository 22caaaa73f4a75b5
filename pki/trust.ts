/**
 * The trust face of this room: everything that a front, a router, a desk or a device needs to decide whom to
 * believe, on node:crypto alone. Nothing here can issue a certificate.
 */
export type { PinnedIssuer } from './anchors.ts';
export {
  createDeviceTrust,
  type DeviceTrust,
  type DeviceTrustOptions,
  SIGNERS_MAX,
} from './device-trust.ts';
export { type Ending, endOfCertificate } from './endings.ts';
export { PKI_ERRORS, type PkiErrorCode } from './errors.ts';
export {
  type DeviceIdentity,
  type KeyAndCertificate,
  type OfficeAnchors,
  type OwnerKey,
  parseDeviceIdentity,
  readDeviceIdentity,
} from './identity.ts';
export { openSealingKey } from './key-places.ts';
export { type KeyFiles, loadDeskServerKey, loadSealingKey, loadServerKey, type ServerKey } from './keys.ts';
export type { OfficeName } from './names.ts';
export { applyNotice, type CheckedNotice, noticeSealingKid, readNotice, withNotice } from './notice-apply.ts';
export { officeTrustOf } from './office/device.ts';
export {
  createOfficeTrust,
  OFFICE_PEOPLE_MAX,
  type OfficeCaller,
  type OfficeSigner,
  type OfficeTrust,
  type OfficeTrustOptions,
} from './office/trust.ts';
export type { RevocationList } from './revocations.ts';
export { KID_BYTES, type Recipient, recipientOf, sealingKid } from './sealing.ts';
export { checkServerKey } from './server-key.ts';
export {
  createTlsTrust,
  identityOfTlsCertificate,
  TLS_IDENTITIES_MAX,
  type TlsIdentity,
  type TlsTrust,
  type TlsTrustOptions,
} from './tls-trust.ts';
export { TLS_PARAMETERS } from './trust-tls.ts';
