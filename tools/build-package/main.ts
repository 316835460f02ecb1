// In the folder of a package: emits it to dist/, which is what is published. A test names another folder to emit to.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { publishedManifest, type Manifest } from './published-manifest.ts';

const folder = process.cwd();
const root = join(import.meta.dirname, '..', '..');
const dist = resolve(process.argv[2] ?? 'dist');

rmSync(dist, { recursive: true, force: true });
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
const { status } = spawnSync(
  process.execPath,
  [tsc, '--project', join(folder, 'tsconfig.build.json'), '--outDir', dist],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
if (status !== 0) process.exit(1);

// tsc rewrites the paths of what runs, and leaves those of the types as they are.
for (const path of globSync('**/*.d.ts', { cwd: dist })) {
  const types = readFileSync(join(dist, path), 'utf8');
  writeFileSync(join(dist, path), types.replaceAll(/(from |import\()'(\.[^']+)\.ts'/g, "$1'$2.js'"));
}

const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
writeFileSync(join(dist, 'package.json'), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
for (const [name, from] of [
  ['README.md', folder],
  ['LICENSE', root],
] as const) {
  if (existsSync(join(from, name))) copyFileSync(join(from, name), join(dist, name));
}
