export const tokenFormats = ['text', 'json', 'google-executable'] as const;
export type TokenFormat = (typeof tokenFormats)[number];

/** A token and when it ends, in milliseconds since the epoch. */
export type ReceivedToken = { token: string; expiresAt: number };

/** As programs read it: alone (SDKs take a file to the byte), with its end, or as Google's libraries take a command's answer. */
export function writtenAs(format: TokenFormat, { token, expiresAt }: ReceivedToken): string {
  switch (format) {
    case 'text':
      return token;
    case 'json':
      return JSON.stringify({ token, expiresAt });
    case 'google-executable':
      return JSON.stringify({
        version: 1,
        success: true,
        token_type: 'urn:ietf:params:oauth:token-type:jwt',
        id_token: token,
        expiration_time: Math.floor(expiresAt / 1000),
      });
  }
}

/** What Google's libraries show when there is no token. */
export function failureIn({ code, detail, mend }: { code: string; detail: string; mend: string }): string {
  return JSON.stringify({ version: 1, success: false, code, message: `${detail} ${mend}` });
}
