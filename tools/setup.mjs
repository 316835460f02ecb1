// Makes node_modules what package-lock.json says, and does nothing when it is already.
// It runs before everything else, so it is plain JavaScript for Node 18 or newer and depends on nothing.
// It writes to stderr only: a script's stdout belongs to the script.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const stamp = join(modules, '.tessera-setup');
// Beside node_modules and not in it, since `npm ci` empties that folder.
const lock = join(root, '.tessera-setup.lock');
const heartbeatMs = 1_000;
const abandonedAfterMs = 15_000;

const lockfile = readFileSync(join(root, 'package-lock.json'), 'utf8');
const wanted = createHash('sha256').update(lockfile).digest('hex');

if (!isReady()) {
  await takeLock();
  const heartbeat = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(lock, now, now);
    } catch {
      // The folder is gone: someone cleans the tree, and npm will say so better than we can.
    }
  }, heartbeatMs);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  process.once('exit', () => rmSync(lock, { recursive: true, force: true }));
  try {
    // Another run may have finished the work while this one waited.
    if (!isReady()) process.exitCode = await install();
  } finally {
    clearInterval(heartbeat);
  }
}

function isReady() {
  if (!hasOwnNode()) return false;
  try {
    if (readFileSync(stamp, 'utf8') === wanted) return true;
  } catch {
    // Not stamped: somebody may have run npm himself.
  }
  if (!matchesInstalled()) return false;
  try {
    writeFileSync(stamp, wanted);
  } catch {
    // Another user's folder. It is right all the same.
  }
  return true;
}

function hasOwnNode() {
  return existsSync(join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node'));
}

/** npm keeps a list of what it put into node_modules; so a plain `npm install` needs no second one from us. */
function matchesInstalled() {
  let installed;
  try {
    installed = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8')).packages;
  } catch {
    return false;
  }
  return Object.entries(JSON.parse(lockfile).packages).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') && !path.includes('/node_modules/')) return true;
    const found = installed[path];
    if (!found) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

async function takeLock() {
  for (let waited = 0; ; waited += 250) {
    try {
      mkdirSync(lock);
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (waited === 0) console.error('tessera: another run is installing; waiting for it');
    try {
      if (Date.now() - statSync(lock).mtimeMs > abandonedAfterMs) {
        rmSync(lock, { recursive: true, force: true });
        continue;
      }
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    await sleep(250);
  }
}

async function install() {
  console.error('tessera: installing what package-lock.json lists (npm ci)');
  // A run from a deleted or half-made node_modules must not count as done.
  rmSync(stamp, { force: true });
  const options = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
  const npm = process.env['npm_execpath'];
  const [command, args] = npm ? [process.execPath, [npm, ...options]] : ['npm', options];
  const code = await new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 2, 2], shell: false });
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? 1));
  });
  if (code !== 0) {
    console.error('tessera: npm ci failed. Is the package registry reachable? Its log is named above.');
    return code;
  }
  if (!hasOwnNode()) {
    console.error(
      'tessera: npm left out the install script of the package "node" (is ignore-scripts set?). ' +
        'Run: npm ci --ignore-scripts=false',
    );
    return 1;
  }
  writeFileSync(stamp, wanted);
  return 0;
}
