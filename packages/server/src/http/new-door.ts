import { Hono } from 'hono';
import type { Door, DoorEnv, ErrorAnswer } from './door.ts';
import { oauthAnswer, problemAnswer } from './error-answers.ts';

/** A door: a small router whose errors are answered in one shape. Unknown paths are the host table's business. */
export function newDoor(errors: 'oauth' | 'problem' | ErrorAnswer): Door {
  const answerError: ErrorAnswer =
    errors === 'oauth' ? oauthAnswer : errors === 'problem' ? problemAnswer : errors;
  const door: Door = new Hono<DoorEnv>({ strict: true });
  door.onError((error, context) => {
    context.set('failure', error);
    return answerError(error, context);
  });
  return door;
}
