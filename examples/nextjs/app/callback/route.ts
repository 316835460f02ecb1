import { NextResponse, type NextRequest } from 'next/server';
import { forget, keep, read } from '../../session';
import { appUrl, finishSignIn } from '../../tessera';

export async function GET(request: NextRequest): Promise<Response> {
  const pending = await read('pending');
  if (!pending) return new Response('No sign-in was begun in this browser.', { status: 400 });
  await forget('pending');
  try {
    await keep('session', await finishSignIn(request.nextUrl.search, pending));
  } catch (error) {
    console.error('sign-in failed', error);
    return new Response('You are not signed in.', { status: 400 });
  }
  return NextResponse.redirect(new URL('/', appUrl), 303);
}
