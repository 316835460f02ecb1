/**
 * The name of a member that an object in a JSON text has twice, however it is escaped; undefined when none has. Which
 * of two a parser takes differs between parsers (RFC 8259, 4), so that a check and a use could see different ones.
 * The text has to be JSON already.
 */
export function findDuplicateMember(json: string): string | undefined {
  /** The names of each object around this place; undefined stands for an array. */
  const around: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let index = 0; index < json.length; index++) {
    const character = json[index];
    if (character === '{') {
      around.push(new Set());
      isName = true;
    } else if (character === '[') {
      around.push(undefined);
      isName = false;
    } else if (character === '}' || character === ']') {
      around.pop();
      isName = false;
    } else if (character === ',') {
      isName = around.at(-1) !== undefined;
    } else if (character === '"') {
      const end = endOfString(json, index);
      if (isName) {
        const names = around.at(-1);
        const name = JSON.parse(json.slice(index, end + 1)) as string;
        if (names?.has(name)) return name;
        names?.add(name);
        isName = false;
      }
      index = end;
    }
  }
  return undefined;
}

function endOfString(json: string, start: number): number {
  let index = start + 1;
  while (index < json.length && json[index] !== '"') index += json[index] === '\\' ? 2 : 1;
  return index;
}
