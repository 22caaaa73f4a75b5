import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { renewalWorld } from '../testing/renewal.ts';
import { LiveIdentity } from './live-identity.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-live-'));
const world = renewalWorld(Date.now);
afterAll(() => {
  world.close();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function place() {
  files += 1;
  const file = join(folder, `${files}.json`);
  const identity = world.enrol();
  writeFileSync(file, JSON.stringify(identity), { mode: 0o600 });
  return { file, identity, live: new LiveIdentity(file) };
}

describe('the identity of a running device', () => {
  it('is the one in its file, also after a person has put another of the same device there', () => {
    const { file, identity, live } = place();
    expect(live.load()).toEqual(identity);
    const next = { ...identity, tls: identity.sign };
    writeFileSync(file, JSON.stringify(next));
    expect(live.load()).toEqual(next);
  });

  it('stays as it was where the file is gone, damaged, or of another device, and never overwrites that', () => {
    const { file, identity, live } = place();
    for (const text of ['{"version":1', JSON.stringify(world.enrol())]) {
      writeFileSync(file, text);
      expect(live.load()).toEqual(identity);
      expect(() => live.save(identity)).toThrow();
      expect(readFileSync(file, 'utf8')).toBe(text);
    }
    rmSync(file);
    expect(live.load()).toEqual(identity);
    expect(() => live.save(identity)).toThrow();
    writeFileSync(file, JSON.stringify(identity));
    expect(live.load()).toEqual(identity);
  });

  it('is replaced whole, for its owner’s eyes alone', () => {
    const { file, identity, live } = place();
    const next = { ...identity, agreeBefore: [identity.agree] };
    live.save(next);
    expect(live.load()).toEqual(next);
    expect(new LiveIdentity(file).load()).toEqual(next);
  });
});
