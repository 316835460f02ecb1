// Next.js runs this once, before it answers anybody: from then on every request has its context.
import '@tessera/oidc/register';

export function register() {}
