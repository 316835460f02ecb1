import { redirect } from 'next/navigation';
import { keep } from '../../session';
import { beginSignIn } from '../../tessera';

export async function GET(): Promise<never> {
  const { url, pending } = await beginSignIn();
  await keep('pending', pending);
  redirect(url.href);
}
