export const CONFIG_KINDS = [
  'up',
  'front',
  'router',
  'desk',
  'ca',
  'dev-ca',
  'mdm',
  'fleet',
  'edge',
] as const;
export type ConfigKind = (typeof CONFIG_KINDS)[number];

/** The processes that `hes up` starts, each also to be started by itself. */
export const SERVICES = [
  ['front', 'the door that meters reach: MQTT over mutual TLS, blind to what it carries'],
  ['router', 'one operator’s uplink: open, verify, admit, deliver, receipt'],
  ['desk', 'one operator’s tele-operations: propose, approve, queue, dispatch, outcome'],
  ['ca', 'one operator’s issuing CA: EST for its devices, and its revocation lists'],
  ['dev-ca', 'all issuing CAs of a development PKI: EST for an emulated fleet'],
  ['mdm', 'simulated MDMs to deliver to'],
  ['fleet', 'an emulated fleet of meters'],
] as const;
export type ServiceName = (typeof SERVICES)[number][0];
