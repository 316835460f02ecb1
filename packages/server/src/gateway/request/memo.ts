const mostTexts = 2_000;
/** Few real names of headers and hosts are longer. */
const longestText = 64;

/**
 * What is to be said of a name by the name alone, said once: that costs several regular expressions, and the same few
 * names come with every message. Begun anew when somebody sends many others: to know which was used last would cost as
 * much again. Undefined is said again each time.
 */
export function createMemo<Said>(say: (name: string) => Said): (name: string) => Said {
  const memo = new Map<string, Said>();
  return (name) => {
    const known = memo.get(name);
    if (known !== undefined) return known;
    const said = say(name);
    if (said === undefined || name.length > longestText) return said;
    if (memo.size >= mostTexts) memo.clear();
    memo.set(name, said);
    return said;
  };
}
