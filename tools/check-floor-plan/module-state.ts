import {
  Visitor,
  type BindingPattern,
  type Class,
  type Directive,
  type Expression,
  type ParamPattern,
  type Program,
  type Statement,
  type VariableDeclaration,
} from 'oxc-parser';

export interface ModuleState {
  found: string;
  line: number;
}

const containers: ReadonlySet<string> = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Array', 'LRUCache']);
const changes: ReadonlySet<string> = new Set([
  'push',
  'pop',
  'shift',
  'unshift',
  'splice',
  'sort',
  'reverse',
  'fill',
  'set',
  'add',
  'delete',
  'clear',
]);

/**
 * What a module keeps from one call to the next. A constant table is none; so a container counts when it begins
 * empty and is not declared readonly, or when the file changes it.
 */
export function readModuleState(program: Program, lineAt: (offset: number) => number): ModuleState[] {
  const state: ModuleState[] = [];
  const constants = new Set<string>();
  for (const statement of program.body) {
    const declaration = declarationOf(statement);
    if (declaration?.type === 'ClassDeclaration') readStatics(declaration, state, lineAt);
    if (declaration?.type !== 'VariableDeclaration' || declaration.declare) continue;
    if (declaration.kind === 'const') readConstants(declaration, constants, state, lineAt);
    else state.push({ found: `module-level ${declaration.kind}`, line: lineAt(declaration.start) });
  }
  return [...state, ...readChanges(program, constants, lineAt)];
}

function declarationOf(statement: Statement | Directive) {
  return statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
}

function readStatics({ body }: Class, state: ModuleState[], lineAt: (offset: number) => number): void {
  for (const member of body.body) {
    if (member.type !== 'PropertyDefinition' || !member.static || member.readonly) continue;
    state.push({ found: 'a static field that can change', line: lineAt(member.start) });
  }
}

function readConstants(
  { declarations }: VariableDeclaration,
  constants: Set<string>,
  state: ModuleState[],
  lineAt: (offset: number) => number,
): void {
  for (const { id, init, start } of declarations) {
    for (const name of boundNames(id)) constants.add(name);
    const isFilledLater = init !== null && isEmptyContainer(init) && !isDeclaredReadonly(id);
    if (isFilledLater)
      state.push({ found: 'a module-level container that begins empty', line: lineAt(start) });
  }
}

function isEmptyContainer(init: Expression): boolean {
  if (init.type === 'ArrayExpression') return init.elements.length === 0;
  if (init.type === 'ObjectExpression') return init.properties.length === 0;
  if (init.type !== 'NewExpression' || init.callee.type !== 'Identifier') return false;
  const { name } = init.callee;
  return containers.has(name) && (init.arguments.length === 0 || name === 'LRUCache' || name === 'Array');
}

function isDeclaredReadonly(id: BindingPattern): boolean {
  const annotation = id.type === 'Identifier' ? id.typeAnnotation?.typeAnnotation : undefined;
  if (annotation?.type === 'TSTypeOperator') return annotation.operator === 'readonly';
  if (annotation?.type !== 'TSTypeReference' || annotation.typeName.type !== 'Identifier') return false;
  return annotation.typeName.name.startsWith('Readonly');
}

/** Finds where the file changes a module-level constant in place. A name that is bound twice is left alone. */
function readChanges(
  program: Program,
  constants: ReadonlySet<string>,
  lineAt: (offset: number) => number,
): ModuleState[] {
  const bindings = new Map<string, number>();
  const changed: { name: string; start: number }[] = [];
  const bind = (pattern: BindingPattern | ParamPattern): void => {
    for (const name of boundNames(pattern)) bindings.set(name, (bindings.get(name) ?? 0) + 1);
  };
  const change = (node: { type: string }, start: number): void => {
    const name = rootName(node);
    if (name !== null && constants.has(name)) changed.push({ name, start });
  };
  const bindAll = ({ params }: { params: readonly ParamPattern[] }): void => params.forEach(bind);
  new Visitor({
    VariableDeclarator: ({ id }) => bind(id),
    FunctionDeclaration: bindAll,
    FunctionExpression: bindAll,
    ArrowFunctionExpression: bindAll,
    AssignmentExpression: ({ left, start }) => {
      if (left.type === 'MemberExpression') change(left, start);
    },
    UpdateExpression: ({ argument, start }) => {
      if (argument.type === 'MemberExpression') change(argument, start);
    },
    UnaryExpression: ({ operator, argument, start }) => {
      if (operator === 'delete') change(argument, start);
    },
    CallExpression: ({ callee, start }) => {
      if (callee.type !== 'MemberExpression' || callee.property.type !== 'Identifier') return;
      if (callee.object.type === 'Identifier' && changes.has(callee.property.name))
        change(callee.object, start);
    },
  }).visit(program);
  return changed
    .filter(({ name }) => bindings.get(name) === 1)
    .map(({ name, start }) => ({
      found: `the module-level constant ${name} is changed in place`,
      line: lineAt(start),
    }));
}

function rootName(node: { type: string; object?: { type: string }; name?: unknown }): string | null {
  if (node.type === 'Identifier') return typeof node.name === 'string' ? node.name : null;
  return node.type === 'MemberExpression' && node.object ? rootName(node.object) : null;
}

function boundNames(pattern: BindingPattern | ParamPattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name];
    case 'AssignmentPattern':
      return boundNames(pattern.left);
    case 'RestElement':
      return boundNames(pattern.argument);
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? boundNames(element) : []));
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        boundNames(property.type === 'RestElement' ? property : property.value),
      );
    case 'TSParameterProperty':
      return [];
  }
}
