import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/**
 * Opens a headless Chromium: the one of the npm package @sparticuz/chromium, or the one that CHROMIUM_PATH names.
 * It resolves `*.localhost` to this machine by itself and calls nobody in the background.
 */
export async function openBrowser(): Promise<Browser> {
  const ownPath = process.env['CHROMIUM_PATH'];
  const executablePath = ownPath ?? (await unpackChromium());
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath,
    headless: true,
    // Chromium's sandbox does not work as root; nothing but our own pages is opened in it.
    chromiumSandbox: false,
    args: [
      ...(isRoot ? ['--no-sandbox'] : []),
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-default-apps',
      '--disable-domain-reliability',
      '--disable-sync',
      '--no-first-run',
      '--no-pings',
      '--disable-gpu',
      '--in-process-gpu',
      '--no-zygote',
      '--proxy-server=direct://',
    ],
    env: {
      ...process.env,
      ...(ownPath === undefined && { FONTCONFIG_FILE: configureFonts(executablePath) }),
    },
  });
}

/**
 * The package's own configuration looks for its fonts where it is unpacked by default. Without a single font this
 * Chromium ends at the first password field or list of options.
 */
function configureFonts(executablePath: string): string {
  const folder = join(executablePath, '..');
  const file = join(folder, 'tessera-fonts.conf');
  writeFileSync(
    file,
    `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>${join(folder, 'fonts')}</dir><cachedir>${join(folder, 'font-cache')}</cachedir></fontconfig>`,
  );
  return file;
}

/**
 * The package unpacks itself into `<tmp>/chromium`, readable by the first user only, and hands out a half-written
 * file to whoever comes second. So it is unpacked into a folder of our own that appears whole or not at all.
 */
async function unpackChromium(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('@sparticuz/chromium');
  const { version } = JSON.parse(readFileSync(join(entry, '..', '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const folder = join(tmpdir(), `tessera-chromium-${version}-${userInfo().uid}`);
  const executable = join(folder, 'chromium');
  if (existsSync(executable)) {
    const { uid } = lstatSync(folder);
    if (uid !== userInfo().uid) throw new Error(`${folder} belongs to somebody else: delete it`);
    return executable;
  }
  const unpacking = mkdtempSync(join(tmpdir(), 'tessera-chromium-unpacking-'));
  try {
    await runNode("import c from '@sparticuz/chromium'; await c.executablePath()", {
      TMPDIR: unpacking,
      TEMP: unpacking,
      TMP: unpacking,
    });
    chmodSync(join(unpacking, 'chromium'), 0o755);
    try {
      renameSync(unpacking, folder);
    } catch (error) {
      // Another process was quicker.
      if (!existsSync(executable)) throw error;
    }
    return executable;
  } finally {
    rmSync(unpacking, { recursive: true, force: true });
  }
}

async function runNode(source: string, environment: Record<string, string>): Promise<void> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (status !== 0) throw new Error(`Chromium could not be unpacked: ${errors}`);
}
