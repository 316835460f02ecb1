// Building blocks of the passwords that people choose most, from published lists of breaches. A password of fifteen
// characters on such a list is nearly always two or three of these in a row, so the blocks cover far more than a
// list of whole passwords of the same length would.
const words = `
password passwort passw0rd contrasena motdepasse wachtwoord parola senha haslo salasana geheim secret login logon
admin administrator root user guest test testing demo default changeme change letmein welcome willkommen bienvenue
hello hallo access please enter open unlock system server manager master superuser superman batman spiderman
iloveyou loveyou iloveu love lovely lover forever always amor princess prince queen king angel baby babygirl sweet
sweetheart honey sunshine summer winter spring autumn monday tuesday wednesday thursday friday saturday sunday
january february march april june july august september october november december
monkey dragon tiger lion eagle shadow phoenix panther falcon butterfly flower rainbow chocolate cookie cheese pepper
banana orange apple cherry computer internet google facebook youtube twitter instagram microsoft windows samsung
iphone android pokemon naruto minecraft fortnite starwars startrek matrix ninja pirate wizard hunter killer ranger
soldier warrior legend football baseball basketball soccer hockey tennis golf liverpool arsenal chelsea barcelona
realmadrid juventus manchester united yankees cowboys lakers mustang ferrari porsche mercedes corvette harley
michael jordan jennifer jessica ashley daniel andrew thomas charlie robert matthew joshua anthony michelle nicole
amanda hannah samantha george william richard david james john maria anna alex max mike chris peter martin
trustno1 trustme whatever nothing money freedom america england london paris berlin texas canada mexico brasil
qwerty qwertz azerty asdf zxcv yxcv qazwsx wsxedc edcrfv rfvtgb qweasd asdzxc abc abcdef test123 pass word
company work office home family mother father daddy mommy brother sister friend friends school student teacher
purple yellow green black white silver golden diamond crystal heaven jesus christ god bless lucky star super cool
blink182 metallica nirvana eminem slipknot beatles elvis
`
  .trim()
  .split(/\s+/);

const keyboardRows = [
  'qwertyuiop',
  'qwertzuiop',
  'azertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'yxcvbnm',
  '1234567890',
  'abcdefghijklmnopqrstuvwxyz',
];

/** Longest first, so that a password is taken apart into as few blocks as possible. */
const blocks = [...new Set(words)].filter((word) => word.length >= 3).toSorted((a, b) => b.length - a.length);

/**
 * How many characters of a password remain when the predictable parts are taken away: common words (also written
 * with digits for letters), the given context words, keyboard rows, alphabets, counted digits, years, repetitions
 * and punctuation.
 */
export function unpredictableLength(password: string, contextWords: readonly string[]): number {
  const plain = withLetters(password.normalize('NFKC').toLowerCase());
  const context = contextWords
    .map((word) => withLetters(word.normalize('NFKC').toLowerCase()))
    .filter((word) => word.length >= 3);
  let rest = plain;
  for (const word of [...context, ...blocks]) rest = rest.replaceAll(word, ' ');
  rest = withoutRuns(rest);
  rest = withoutRepeats(rest);
  return rest.replaceAll(/[^\p{L}\p{N}]/gu, '').replaceAll(/(?:19|20)\d\d|\d{1,3}$/g, '').length;
}

/** `p4ssw0rd` is `password`: digits stand for letters only where letters are beside them. */
function withLetters(text: string): string {
  const letters: Record<string, string> = {
    '0': 'o',
    '1': 'i',
    '3': 'e',
    '4': 'a',
    '5': 's',
    '7': 't',
    '@': 'a',
    $: 's',
  };
  return text.replaceAll(/(?<=\p{L})[013457@$](?=\p{L})/gu, (sign) => letters[sign] ?? sign);
}

/** Takes away four or more neighbours on a keyboard row or in the alphabet, in both directions. */
function withoutRuns(text: string): string {
  const lines = keyboardRows.flatMap((row) => [row, Array.from(row).toReversed().join('')]);
  let rest = '';
  for (let at = 0; at < text.length;) {
    const run = longestRun(text, at, lines);
    rest += run >= 4 ? ' ' : text.slice(at, at + 1);
    at += run >= 4 ? run : 1;
  }
  return rest;
}

function longestRun(text: string, from: number, lines: readonly string[]): number {
  let length = 1;
  while (
    from + length < text.length &&
    lines.some((line) => line.includes(text.slice(from, from + length + 1)))
  ) {
    length += 1;
  }
  return length;
}

/** What is said twice counts once: `abababab`, `111111`, `blueblueblue`. */
function withoutRepeats(text: string): string {
  return text.replaceAll(/(.{1,8}?)\1+/gu, '$1');
}
