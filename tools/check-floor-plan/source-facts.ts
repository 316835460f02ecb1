import { parseSync, Visitor, type Argument, type Expression, type ParseResult } from 'oxc-parser';
import { readModuleState, type ModuleState } from './module-state.ts';

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  path: string;
  text: string;
}

/** What the rules want to know of a file, each with its line. */
export interface SourceFacts {
  path: string;
  lineCount: number;
  opensWithComment: boolean;
  parseErrors: { message: string; line: number }[];
  /** `import`, `export … from` and `import('…').Type`, with or without `type`. */
  imports: { specifier: string; line: number }[];
  /** `import()` while running; null where the module is not a literal. */
  dynamicImports: { specifier: string | null; line: number }[];
  defaultExports: number[];
  declarations: { name: string; isInterface: boolean; line: number }[];
  environmentReads: number[];
  moduleState: ModuleState[];
  createdTables: { table: string; line: number }[];
  namedTables: { table: string; by: string; line: number }[];
}

const tableCalls: ReadonlySet<string> = new Set([
  'selectFrom',
  'insertInto',
  'replaceInto',
  'updateTable',
  'deleteFrom',
  'mergeInto',
  'innerJoin',
  'leftJoin',
  'rightJoin',
  'fullJoin',
  'alterTable',
  'dropTable',
]);

const sqlStatement = /^\s*(?:select|insert|update|delete|replace|with|alter|drop|truncate)\b/i;
const sqlTable = /\b(?:delete\s+from|from|into|update|join|table)\s+["`]?([a-z_]\w*)/gi;

export function readSource({ path, text }: SourceFile): SourceFacts {
  const parsed = parseSync(path, text);
  const lineAt = createLineFinder(text);
  const facts: SourceFacts = {
    path,
    lineCount: text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    opensWithComment: opensWithComment(parsed),
    parseErrors: parsed.errors.map(({ message, labels }) => ({
      message,
      line: lineAt(labels[0]?.start ?? 0),
    })),
    imports: [],
    dynamicImports: [],
    defaultExports: [],
    declarations: [],
    environmentReads: [],
    moduleState: readModuleState(parsed.program, lineAt),
    createdTables: [],
    namedTables: [],
  };
  readModuleRecord(parsed, facts, lineAt);
  const processNames = new Set(['process', ...namesOfProcess(parsed)]);
  const isProcess = (node: Expression | Argument): boolean =>
    (node.type === 'Identifier' && processNames.has(node.name)) ||
    (node.type === 'MemberExpression' &&
      node.object.type === 'Identifier' &&
      (node.object.name === 'globalThis' || node.object.name === 'global') &&
      propertyName(node) === 'process');
  const declare = (name: string | undefined, start: number, isInterface = false): void => {
    if (name !== undefined) facts.declarations.push({ name, isInterface, line: lineAt(start) });
  };
  const nameTable = (table: string, by: string, start: number): void => {
    facts.namedTables.push({ table, by, line: lineAt(start) });
  };
  const readSql = (sql: string, start: number): void => {
    for (const [found, table = ''] of sql.matchAll(sqlTable)) nameTable(table, found, start);
  };

  new Visitor({
    TSImportType({ source, start }) {
      facts.imports.push({ specifier: source.value, line: lineAt(start) });
    },
    ImportExpression({ source, start }) {
      facts.dynamicImports.push({ specifier: literalText(source), line: lineAt(start) });
    },
    VariableDeclarator({ id, init, start }) {
      if (id.type === 'Identifier') declare(id.name, start);
      if (id.type !== 'ObjectPattern' || !init || !isProcess(init)) return;
      const takesEnvironment = id.properties.some(
        (property) =>
          property.type === 'Property' &&
          (property.key.type === 'Identifier' || property.key.type === 'Literal') &&
          (property.key.type === 'Identifier' ? property.key.name : property.key.value) === 'env',
      );
      if (takesEnvironment) facts.environmentReads.push(lineAt(start));
    },
    FunctionDeclaration({ id, start }) {
      declare(id?.name, start);
    },
    ClassDeclaration({ id, start }) {
      declare(id?.name, start);
    },
    TSTypeAliasDeclaration({ id, start }) {
      declare(id.name, start);
    },
    TSInterfaceDeclaration({ id, start }) {
      declare(id.name, start, true);
    },
    MemberExpression(node) {
      if (isProcess(node.object) && propertyName(node) === 'env')
        facts.environmentReads.push(lineAt(node.start));
    },
    CallExpression({ callee, arguments: [first] }) {
      if (!first || callee.type !== 'MemberExpression') return;
      const by = propertyName(callee);
      // A long chain begins lines above the call, and the line of the call is the one to mend.
      const at = callee.property.start;
      if (by === 'createTable') {
        const table = literalText(first);
        if (table !== null) facts.createdTables.push({ table, line: lineAt(at) });
      }
      if (by === null || !tableCalls.has(by)) return;
      const tables = first.type === 'ArrayExpression' ? first.elements : [first];
      for (const each of tables) {
        const table = each && literalText(each)?.split(/\s/)[0];
        if (table) nameTable(table, `${by}('${table}')`, at);
      }
    },
    Literal({ value, start }) {
      if (typeof value === 'string' && sqlStatement.test(value)) readSql(value, start);
    },
    TemplateLiteral({ quasis, start }) {
      const sql = quasis.map((quasi) => quasi.value.raw).join(' ');
      if (sqlStatement.test(sql)) readSql(sql, start);
    },
  }).visit(parsed.program);
  return facts;
}

function readModuleRecord(
  { module }: ParseResult,
  facts: SourceFacts,
  lineAt: (offset: number) => number,
): void {
  for (const { moduleRequest, entries, start } of module.staticImports) {
    facts.imports.push({ specifier: moduleRequest.value, line: lineAt(start) });
    const readsEnvironment = entries.some(({ importName }) => importName.name === 'env');
    if (isProcessModule(moduleRequest.value) && readsEnvironment) facts.environmentReads.push(lineAt(start));
  }
  for (const { entries, start } of module.staticExports) {
    const from = new Set(entries.map(({ moduleRequest }) => moduleRequest?.value));
    for (const specifier of from)
      if (specifier !== undefined) facts.imports.push({ specifier, line: lineAt(start) });
    const isDefault = ({ exportName }: (typeof entries)[number]): boolean =>
      (exportName.kind as string) === 'Default' || exportName.name === 'default';
    if (entries.some(isDefault)) facts.defaultExports.push(lineAt(start));
  }
}

/** The names under which a file imports the whole of node:process. */
function namesOfProcess({ module }: ParseResult): string[] {
  return module.staticImports
    .filter(({ moduleRequest }) => isProcessModule(moduleRequest.value))
    .flatMap(({ entries }) => entries)
    .filter(({ importName }) => importName.name === null || importName.name === 'default')
    .map(({ localName }) => localName.value);
}

function isProcessModule(specifier: string): boolean {
  return specifier === 'node:process' || specifier === 'process';
}

function opensWithComment({ program, comments }: ParseResult): boolean {
  const first = comments[0];
  return first !== undefined && first.start < (program.body[0]?.start ?? Infinity) && /\w/.test(first.value);
}

function propertyName(node: Extract<Expression, { type: 'MemberExpression' }>): string | null {
  if (node.computed) return literalText(node.property);
  return node.property.type === 'Identifier' ? node.property.name : null;
}

function literalText(node: Expression | Argument): string | null {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : null;
  const isPlain = node.type === 'TemplateLiteral' && node.expressions.length === 0;
  return isPlain ? (node.quasis[0]?.value.cooked ?? null) : null;
}

function createLineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
