// node tools/check-docs/main.ts: fails when a page promises what is not there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPage } from './check-docs.ts';

const root = join(import.meta.dirname, '../..');
const notOurs = /^(?:node_modules|dist|coverage|data|\..*)$/;

function listPages(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return notOurs.test(entry.name) ? [] : listPages(path);
    return entry.isFile() && /\.mdx?$/.test(entry.name) ? [path] : [];
  });
}

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
const repository = {
  exists: (path: string) => existsSync(join(root, path)),
  read: (path: string) => readFileSync(join(root, path), 'utf8'),
  scripts: new Set(Object.keys(scripts)),
};
const pages = listPages('');
const findings = pages.flatMap((path) => checkPage(path, readFileSync(join(root, path), 'utf8'), repository));
for (const { path, line, found } of findings) console.error(`${path}:${line}  ${found}`);
console.log(`documentation: ${pages.length} pages, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
