import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The `openssl` command as a second opinion. Tests that need it are skipped by name where it is absent. */
export const openssl = spawnSync('openssl', ['version'], { encoding: 'utf8' }).status === 0;

/** Run openssl on some files; the answer is what it wrote, and whether it agreed. */
export function runOpenssl(
  args: readonly string[],
  files: Readonly<Record<string, string | Uint8Array>>,
): { readonly ok: boolean; readonly text: string } {
  const folder = mkdtempSync(join(tmpdir(), 'hes-openssl-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const text = execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
    return { ok: true, text };
  } catch (error) {
    return {
      ok: false,
      text:
        error instanceof Error && 'stdout' in error && 'stderr' in error
          ? `${String(error.stdout)}${String(error.stderr)}`
          : String(error),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
