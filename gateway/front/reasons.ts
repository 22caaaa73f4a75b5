import type { UplinkRefusal } from '../../protocol/uplink.ts';

/**
 * Why the front turned something away. Each row is a counter; together they are all that it says about
 * strangers, since a log line per refusal would be a way to fill a disk.
 */

/** `refused.<reason>`: it was not let in, or asked for what is not allowed. */
export const REFUSALS = {
  // before MQTT
  connections: 'the bound on connections in all is reached',
  handshakes: 'the bound on handshakes under way is reached',
  'handshake-timeout': 'the TLS handshake did not end in time',
  plaintext: 'the first bytes are not TLS',
  'tls-version': 'a TLS version below 1.2',
  'tls-aborted': 'the other side went away, or sent nonsense, in the middle of the handshake',
  'certificate-missing': 'no client certificate',
  'certificate-untrusted':
    'a certificate of no CA that is pinned here, or with a signature that does not hold',
  'certificate-expired': 'the certificate, or a CA above it, has expired',
  'certificate-early': 'the certificate, or a CA above it, is not valid yet',
  'certificate-revoked': 'the issuing CA has taken the certificate back',
  'certificate-profile': 'a certificate for another use: signature, key agreement, sealing, a CA',
  'certificate-identity': 'the names in the certificate do not agree on one device of its issuer',
  'certificate-malformed': 'a certificate of a shape that this system does not issue',
  'crl-stale': 'the issuing CA has not published a revocation list in time',
  'connections-tenant': 'the bound on connections of the home tenant is reached',
  stopping: 'the front is stopping',
  // at CONNECT
  'connect-timeout': 'no CONNECT in time after the handshake',
  'connect-first': 'the first packet is not CONNECT',
  'connect-twice': 'a second CONNECT in one connection',
  version: 'not MQTT 3.1.1 (CONNACK 1)',
  'client-id': 'a client id that is not the device of the certificate (CONNACK 2)',
  credentials:
    'a user name or password: the certificate is the identity, and a password should not travel (CONNACK 4)',
  'session-kept': 'clean session 0: nothing is kept here between two connections (CONNACK 5)',
  will: 'a will (CONNACK 5)',
  keepalive: 'no keepalive, or one above the bound (CONNACK 5)',
  // on the wire
  oversize: 'a packet above its bound, by the length that it announces',
  malformed: 'bytes that are not MQTT 3.1.1, or a packet that only a server sends',
  flood: 'too many packets before the CONNACK, or too many subscriptions at once',
  // at PUBLISH and SUBSCRIBE
  sys: 'a topic under $SYS, or another that starts with $',
  share: 'a shared subscription',
  wildcard: 'a topic with + or #',
  topic: 'a topic of no shape of ours',
  device: 'the topic of another device',
  tenant: 'the topic of a tenant that the certificate does not name, or that is not served here',
  direction: 'publishing what only the head-end sends, or subscribing to what only devices send',
  retain: 'a retained message',
  'qos-0': 'a reading at QoS 0, which nobody could acknowledge',
  'qos-2': 'QoS 2',
} as const;
export type Refusal = keyof typeof REFUSALS;

/** `unanswered.<reason>`: a message was let in but got no PUBACK; the device keeps it and sends it again. */
export const UNANSWERED = {
  'held-client': 'the bound on held messages of the client is reached',
  'held-tenant': 'the bound on held messages of the tenant is reached',
  'held-all': 'the bound on held messages in all is reached',
  'held-results': 'the bound on held results and events of the tenant is reached',
  ending: 'the connection is about to end for another reason',
  'no-responders': 'no router of the tenant is there',
  timeout: 'the router did not answer in time',
  overloaded: 'the bus or the router has too much to do',
  disconnected: 'the router went away before it answered',
  handler: 'the router failed on the message',
  closed: 'the bus is closed',
  answer: 'the answer is none that the protocol knows',
  'router-envelope': 'the router could not open the message, so that no receipt is possible',
  'router-unsupported': 'the router does not take this kind of message',
  'router-oversize': 'the router found the message too long to open',
  'router-overloaded': 'the router had no room to open the message',
  'router-stopping': 'the router is stopping',
  'router-internal': 'the router failed on the message and said so',
  failed: 'the bus failed for a reason without a name',
} as const satisfies Record<`router-${UplinkRefusal}`, string> & Record<string, string>;
export type Unanswered = keyof typeof UNANSWERED;

/** `unheard.<reason>`: a device listens for commands and no desk said that it knows; it is let listen all the same. */
export const UNHEARD = {
  'no-desk': 'no desk of the tenant is there',
  timeout: 'the desk did not answer in time',
  bound: 'the bound on notices under way of the tenant is reached',
  overloaded: 'the bus or the desk has too much to do',
  disconnected: 'the desk went away before it answered',
  handler: 'the desk failed on the notice',
  closed: 'the bus is closed',
  answer: 'the answer is none that the protocol knows',
  failed: 'the bus failed for a reason without a name',
} as const;
export type Unheard = keyof typeof UNHEARD;

/** `undelivered.<reason>`: a command (or the question whether its device is there) that the desk keeps. */
export const UNDELIVERED = {
  'not-connected': 'the device has no connection to this front',
  'not-listening': 'the device has not subscribed to commands of this tenant',
  stranger: 'the certificate of the device does not name this tenant',
  ending: 'the connection of the device has ended, or is about to',
  busy: 'the device does not read what was written before',
  malformed: 'what the desk sent is none that the protocol knows',
} as const;
export type Undelivered = keyof typeof UNDELIVERED;

/** `closed.<reason>`: a session that was let in was ended by the front. */
export const ENDINGS = {
  revoked: 'its certificate was revoked while it was connected',
  expired: 'its certificate expired while it was connected',
  replaced: 'the same device connected again',
  keepalive: 'nothing was heard for 1.5 times its keepalive',
  slow: 'it did not read what was sent to it',
  unanswered: 'one of its messages got no answer',
  broken: 'its connection failed',
  stopping: 'the front stopped',
} as const;
export type Ending = keyof typeof ENDINGS;
