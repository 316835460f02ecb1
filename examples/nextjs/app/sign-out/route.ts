import { NextResponse } from 'next/server';
import { forget, read } from '../../session';
import { appUrl, signOutUrl } from '../../tessera';

export async function POST(): Promise<Response> {
  const session = await read('session');
  await forget('session');
  const next = session ? await signOutUrl(session.idToken) : new URL('/', appUrl);
  return NextResponse.redirect(next, 303);
}
