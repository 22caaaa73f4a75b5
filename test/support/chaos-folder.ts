import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';

/** A folder for the files of a test, and a configuration of `hes up` with two operators, which is quicker than seven. */
export class TestFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'hes-up-'));

  join(...names: readonly string[]): string {
    return join(this.path, ...names);
  }

  /** @returns the path of the written file */
  write(name: string, content: string, encoding: BufferEncoding = 'utf8'): string {
    const path = this.join(name);
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(path, content, encoding);
    return path;
  }

  /** One electricity operator and one of water. */
  twoTenants(): string {
    return this.write('two.yaml', 'tenants:\n  ores: {}\n  pidpa: {}\n');
  }

  /** Everything below a folder that is no folder, sorted. */
  files(name: string): string[] {
    const root = this.join(name);
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)))
      .toSorted();
  }

  discard(name: string): void {
    rmSync(this.join(name));
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
