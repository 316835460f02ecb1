// Asks for a token as a program does, in the folder and environment it is started in. Prints what it got.
import { getOidcToken, OidcTokenError, type GetOidcTokenOptions } from '@tessera/oidc';

const { times = 1, ...options } = JSON.parse(process.argv[2] ?? '{}') as GetOidcTokenOptions & {
  times?: number;
};
try {
  const tokens = await Promise.all(Array.from({ length: times }, () => getOidcToken(options)));
  console.log(JSON.stringify({ tokens }));
} catch (error) {
  if (!(error instanceof OidcTokenError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
