import { spawn } from 'node:child_process';
import type { Terminal } from '../terminal.ts';

type Machine = Pick<Terminal, 'environment' | 'hasPerson'>;

/**
 * Asks the system to open a web address, without a shell; false where nobody sits in front of a screen. Nobody waits
 * for it: whether a browser came up is seen by the person, who has the address too.
 */
export function openBrowser(machine: Machine, address: string): boolean {
  const opener = findOpener(machine, process.platform);
  if (opener === undefined) return false;
  const [command, ...args] = opener;
  const child = spawn(command, [...args, address], { detached: true, stdio: 'ignore' });
  child.once('error', () => undefined);
  child.unref();
  return true;
}

/** What opens web addresses on a system. */
export function findOpener(
  { environment, hasPerson }: Machine,
  platform: NodeJS.Platform,
): readonly [string, ...string[]] | undefined {
  if (!hasPerson) return undefined;
  if (platform === 'darwin') return ['open'];
  // `start` is a word of the shell; this is what it comes down to.
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  // Without a screen xdg-open falls back to browsers of the terminal, which would take it over.
  const hasScreen = Boolean(environment['DISPLAY'] || environment['WAYLAND_DISPLAY']);
  return hasScreen ? ['xdg-open'] : undefined;
}
