import { readQuery, type DoorContext } from '#http';
import type { Desk } from '../desk.ts';
import type { SignIn } from './consent.ts';

/**
 * For a form that was refused: whether the request that it was about is a popup's, so that the error page does not
 * part the window from its opener either. Rethrows.
 */
export function keepOpenerOf(context: DoorContext, needs: { desk: Desk; signIn: SignIn }) {
  return async (refusal: unknown): Promise<never> => {
    const requestId = readQuery(context).get('request');
    try {
      const browser = await needs.desk.browsers.read(context);
      const request = requestId === undefined ? undefined : await needs.signIn.describe(requestId, browser);
      if (request?.keepsOpener) context.set('keepsOpener', true);
    } catch {
      // Whatever is wrong with the request, the form was refused first.
    }
    throw refusal;
  };
}
