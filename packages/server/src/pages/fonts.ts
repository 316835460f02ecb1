import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export type FontFile = { name: string; bytes: Buffer };

type Cut = { file: string; range: string };

/** The parts of each face by script, so that a browser loads only what a page's text needs. */
const sansCuts: Cut[] = [
  { file: '@fontsource-variable/geist/files/geist-latin-wght-normal.woff2', range: 'latin' },
  { file: '@fontsource-variable/geist/files/geist-latin-ext-wght-normal.woff2', range: 'latin-ext' },
  { file: '@fontsource-variable/geist/files/geist-cyrillic-wght-normal.woff2', range: 'cyrillic' },
  { file: '@fontsource-variable/geist/files/geist-vietnamese-wght-normal.woff2', range: 'vietnamese' },
];
const monoCuts: Cut[] = [
  { file: '@fontsource-variable/geist-mono/files/geist-mono-latin-wght-normal.woff2', range: 'latin' },
  {
    file: '@fontsource-variable/geist-mono/files/geist-mono-latin-ext-wght-normal.woff2',
    range: 'latin-ext',
  },
];

/** The ranges as the font's makers publish them. */
const ranges: Record<string, string> = {
  latin:
    'U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD',
  'latin-ext':
    'U+0100-02BA,U+02BD-02C5,U+02C7-02CC,U+02CE-02D7,U+02DD-02FF,U+0304,U+0308,U+0329,U+1D00-1DBF,U+1E00-1E9F,U+1EF2-1EFF,U+2020,U+20A0-20AB,U+20AD-20C0,U+2113,U+2C60-2C7F,U+A720-A7FF',
  cyrillic: 'U+0301,U+0400-045F,U+0490-0491,U+04B0-04B1,U+2116',
  vietnamese:
    'U+0102-0103,U+0110-0111,U+0128-0129,U+0168-0169,U+01A0-01A1,U+01AF-01B0,U+0300-0301,U+0303-0304,U+0308-0309,U+0323,U+0329,U+1EA0-1EF9,U+20AB',
};

/**
 * A system font stretched to the measure of Geist, so that nothing on a page moves when Geist arrives. The figures are
 * Geist's ascent, descent and mean width over Arial's; Geist Mono is as wide as Courier New already.
 */
const fallbackFaces = `
@font-face{font-family:'Geist fallback';src:local('Arial'),local('Liberation Sans'),local('Helvetica Neue');size-adjust:102.3%;ascent-override:98.3%;descent-override:28.8%;line-gap-override:0%}
@font-face{font-family:'Geist Mono fallback';src:local('Menlo'),local('Courier New'),local('Liberation Mono'),local('DejaVu Sans Mono');size-adjust:100%;ascent-override:100.5%;descent-override:29.5%;line-gap-override:0%}
`;

/** Reads the font files of the packages. They are small; it is done once. */
export function readFonts(): FontFile[] {
  return [...sansCuts, ...monoCuts].map(({ file }) => ({
    name: file.slice(file.lastIndexOf('/') + 1),
    bytes: readFileSync(fileURLToPath(import.meta.resolve(file))),
  }));
}

/** The `@font-face` rules; `addressOf` gives the address of a font file by its name. */
export function fontFaces(addressOf: (name: string) => string): string {
  const face = (family: string, { file, range }: Cut): string => {
    const address = addressOf(file.slice(file.lastIndexOf('/') + 1));
    return `@font-face{font-family:'${family}';font-style:normal;font-display:swap;font-weight:100 900;src:url(${address}) format('woff2');unicode-range:${ranges[range] ?? ''}}`;
  };
  return [
    ...sansCuts.map((cut) => face('Geist Variable', cut)),
    ...monoCuts.map((cut) => face('Geist Mono Variable', cut)),
    fallbackFaces,
  ].join('\n');
}
