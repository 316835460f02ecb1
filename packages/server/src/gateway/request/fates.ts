const mostFates = 2_000;
/** Nobody's real header is called longer than that. */
const longestRememberedName = 64;

/**
 * What becomes of a header by its name alone, judged once: that costs several regular expressions, and the same few
 * names come with every message. Begun anew when somebody sends many others: to know which was used last would cost as
 * much again.
 */
export function createFates<Fate>(judge: (name: string) => Fate): (name: string) => Fate {
  const fates = new Map<string, Fate>();
  return (name) => {
    const known = fates.get(name);
    if (known !== undefined) return known;
    const fate = judge(name);
    if (name.length > longestRememberedName) return fate;
    if (fates.size >= mostFates) fates.clear();
    fates.set(name, fate);
    return fate;
  };
}
