import type { TenantId } from '../../protocol/identity.ts';
import { FIELD_ROOT_URI, issuingUri, OFFICE_ROOT_URI, officeIssuingUri } from '../x509/names.ts';
import { PROFILES, type Profile } from '../x509/profiles.ts';

/**
 * A world has a root, and one issuing CA per tenant under it. There are two, and nothing of one is believed in the
 * other: meters do not log in to the API, people open no MQTT session and send no readings.
 */
export interface World {
  readonly name: 'field' | 'office';
  readonly root: Profile;
  readonly rootUri: string;
  readonly issuing: Profile;
  readonly issuingUri: (tenant: TenantId) => string;
}

export const FIELD: World = {
  name: 'field',
  root: PROFILES.root,
  rootUri: FIELD_ROOT_URI,
  issuing: PROFILES.issuing,
  issuingUri,
};

export const OFFICE: World = {
  name: 'office',
  root: PROFILES.officeRoot,
  rootUri: OFFICE_ROOT_URI,
  issuing: PROFILES.officeIssuing,
  issuingUri: officeIssuingUri,
};
