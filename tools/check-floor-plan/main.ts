// node tools/check-floor-plan/main.ts: fails when the tree differs from the plan of the house.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkFloorPlan } from './check-floor-plan.ts';
import { printFinding } from './finding.ts';

const root = join(import.meta.dirname, '../..');
const notOurs = /^(?:node_modules|dist|coverage|data|\..*)$/;

function listSources(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return notOurs.test(entry.name) ? [] : listSources(path);
    return entry.isFile() && /\.(?:[cm]?[jt]s|[jt]sx)$/.test(entry.name) ? [path] : [];
  });
}

const paths = listSources('');
const findings = checkFloorPlan(
  paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') })),
);
for (const finding of findings) console.error(printFinding(finding));
console.log(`floor plan: ${paths.length} files, ${findings.length} findings`);
process.exitCode = findings.length === 0 ? 0 : 1;
