import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { DeviceId, TenantId } from '../identity.ts';
import { sampleCommand } from '../testing/command-samples.ts';
import { verifyOutcome } from './outcome.ts';
import { openCommand } from './sealed.ts';
import { verifyCommand } from './signed.ts';

/** Made once, with keys that sign and open nothing else: the bytes on the wire are a promise. */
const RECORDED = {
  kid: 'b1b2b3b4b5b6b7b8',
  key:
    'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgpgzlR5Vb9ZKsSVE0NrWyEz+k939qexkXkv5jYPYuUpihRANC' +
    'AATPlo6/0LhzzLBw0iO3MgNwrG+DJ9ruAAE30HsyGL0AL/klyptubedXOOv0plfiIHqvH4pLkJlDZ+GURf5Hpf9b',
  ann:
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh1tP+5X1IRIiB4XLCVGHBe3sWpak2z8GbTWj+zmlN1ZBPFw/KH3+UMOdqEtT' +
    'A5EnD5e1wS6Phi5j6n82W1FyaA==',
  bea:
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf9ZOPrY4nEKSEJxibZrh2ZFW6Tw9RD+bgRGWihySchzqVYQO0fAPjpw6wCSW' +
    'XR//dK9OIx2jDwwG0TnkcxxBmA==',
  device:
    'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELK0a3gtHiemOhxRhBr6cT/YOrr0S2yr9NsARs/lkBbvi3FlGq7kpFYG9S6lb' +
    'Oj32WSlt816NW4NY5PT/YqfAcw==',
  sealed:
    '2GCEQ6EBAaEFTE7Z5GCZqKZGd2AkWFkBA7ghkLTwwJYVbXyFpN0Ru4ollWAgUgAxrXbCtPXU/siO7yJwn9MUCqWzkWC5PbeV' +
    '6we1pPkdmkonCcXWEAT23kacTe6rv4+YZ81bpcB0LVKkU6a8zuf7p3EHmHv4nW16ACKiLIXz7k51N64DVMXvvlbB1E+mtb/z' +
    '/y0bJctmFIGbr/hsoCdpATx6FMXDzxiRHud5Y80b/AVYc0ZoyBJ2w70H4gITVcap7j2+5dC8qdc0k2+TS5K7RVkQnQz8/MU1' +
    '1lPyMextcTogask1mCCf2t9pM5qiuw3uJnliXnJFyIWypiwykT64wtwUJrt90tynyFv6SdgghZwVEzRX64oruhaK7XeBg0Sh' +
    'ATgYogRIsbKztLW2t7ggpAECIAEhWCB7Y85e+CqqP8RDfW6FECUH8WZO9TKLBsTrEIxTtf+7EyJYILJxxA5kV0R+Ix16zep+' +
    'UNjpMJYsffUk9WVNi26J8HLnQA==',
  outcome:
    '0oRMogEmGCFGZGV2aWNloFgypwEBAmdzaWJlbGdhA0j+3LqYdlQyEARQAAECAwQFBgcICQoLDA0ODwUBBhprDn68BwtYQFWE' +
    'Ami5H/nJ7Wi/AWj7sxxjoRrZSIdJHvUFqwu9YfyBO1PrTru9tcdfyeZ17+7law447RyItbKbSWStwZvrwko=',
} as const;

const binding = { tenant: 'sibelga' as TenantId, device: 'fedcba9876543210' as DeviceId };
const command = sampleCommand('breaker.open', binding);
const publicKey = (name: 'ann' | 'bea' | 'device'): KeyObject =>
  createPublicKey({ key: Buffer.from(RECORDED[name], 'base64'), format: 'der', type: 'spki' });

describe('what was recorded', () => {
  it('opens and verifies as a command of two people', () => {
    const key = Buffer.from(RECORDED.key, 'base64');
    const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    const keys = [{ kid: Buffer.from(RECORDED.kid, 'hex'), privateKey }];
    const signed = openCommand({ sealed: Buffer.from(RECORDED.sealed, 'base64'), binding, keys });
    const keyOf = (certificate: Uint8Array): KeyObject =>
      publicKey(Buffer.from(certificate).toString() as 'ann' | 'bea');
    expect(verifyCommand({ signed, binding, keyOf }).command).toEqual(command);
  });

  it('verifies as its outcome', () => {
    const signed = Buffer.from(RECORDED.outcome, 'base64');
    const about = { ...binding, command: command.id };
    expect(verifyOutcome({ signed, about, publicKey: publicKey('device') })).toEqual({
      ...about,
      time: 1_796_112_060,
      state: 'refused',
      code: 'protected',
    });
  });
});
