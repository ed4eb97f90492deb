// Builds the page into dist/. What it writes is checked in, so that the server is built without node: see
// docs/web.md. The same sources and package-lock.json give the same bytes; ./dev lint compares them.

import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const version = JSON.parse(readFileSync(here('node_modules/preact/package.json'), 'utf8')).version;
const license = readFileSync(here('node_modules/preact/LICENSE'), 'utf8').trim();

const options = {
  outdir: process.argv[2] ?? here('dist'),
  bundle: true,
  format: 'iife',
  minify: true,
  lineLimit: 120, // so that a change can be looked at
  charset: 'utf8',
  target: ['chrome123', 'edge123', 'firefox120', 'safari17.5'], // of 2024: they have light-dark()
  logLevel: 'warning',
};
await build({
  ...options,
  entryPoints: [here('src/app.tsx')],
  banner: { js: `/* confab's page, built from web/src. It holds Preact ${version}:\n\n${license}\n*/` },
});
await build({ ...options, entryPoints: [here('src/theme.ts'), here('src/app.css')] });
