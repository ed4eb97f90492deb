// Runs tests/web with node's own runner: test.mjs [REPORT]. Bundled first, as node 18 reads no TypeScript.

import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tests = fileURLToPath(new URL('../tests/web', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'confab-web-'));
const files = readdirSync(tests).filter((name) => /^test_.*\.ts$/.test(name));
const bundle = join(folder, 'all.mjs');
await build({
  stdin: { contents: files.map((name) => `import './${name}';`).join('\n'), resolveDir: tests },
  outfile: bundle,
  bundle: true,
  platform: 'node',
  format: 'esm',
  sourcemap: 'inline',
});
const report = process.argv[2]
  ? ['--test-reporter=tap', `--test-reporter-destination=${process.argv[2]}`]
  : [];
const run = spawnSync(
  process.execPath,
  ['--enable-source-maps', '--test-reporter=spec', '--test-reporter-destination=stdout', ...report, bundle],
  { stdio: 'inherit' },
);
rmSync(folder, { recursive: true });
process.exit(run.status ?? 1);
