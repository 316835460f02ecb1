import { NextResponse } from 'next/server';
import { keep, read } from '../../session';
import { appUrl, renew } from '../../tessera';

/** What an app does when its access token has expired. */
export async function POST(): Promise<Response> {
  const session = await read('session');
  if (session) await keep('session', await renew(session));
  return NextResponse.redirect(new URL('/', appUrl), 303);
}
