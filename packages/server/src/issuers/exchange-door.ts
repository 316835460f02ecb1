import { z } from 'zod';
import { publicError } from '#errors';
import { answerOf, newDoor, readJson, type Door, type ErrorAnswer } from '#http';

export type ExchangeDoorNeeds = {
  exchange(request: {
    subjectToken: string;
    audience: string;
    jti?: string | undefined;
    reference: string;
    clientAddress: string;
  }): Promise<{ token: string; expiresAt: number }>;
};

const exchangeBody = z.strictObject({
  token: z.string().min(1).max(16_384),
  aud: z.string().min(1).max(512),
  jti: z.string().min(1).max(128).optional(),
});

/**
 * `POST {oidc}/~token`: a workload's token for one with another audience, as `@vercel/oidc` asks for it. The answer has
 * `token` and `expiry` (seconds since the epoch). Every error is `{"error": "…"}`, which that package shows to people:
 * so it has the code and what to do. No page of another site is to read the answer: there is no CORS here.
 */
export function createExchangeDoor({ exchange }: ExchangeDoorNeeds): Door {
  const door = newDoor(errorAnswer);
  door.post('/~token', async (context) => {
    const { token: subjectToken, aud: audience, jti } = await readJson(context, exchangeBody);
    const { token, expiresAt } = await exchange({
      subjectToken,
      audience,
      jti,
      reference: context.get('reference'),
      clientAddress: context.get('clientAddress'),
    });
    return context.json({ token, expiry: expiresAt }, 200, { 'cache-control': 'no-store' });
  });
  // Said here, or the documents beside it would answer for it, and let every origin in.
  door.all('/~token', (context) => {
    throw publicError('method_not_allowed', {
      description: `The method ${context.req.method} is not available at ${context.req.path}.`,
      headers: { allow: 'POST' },
    });
  });
  return door;
}

const errorAnswer: ErrorAnswer = (error, context) => {
  const { status, code, description, mend, headers } = answerOf(error);
  const words = mend === '' ? description : `${description} ${mend}`;
  return Response.json(
    { error: `${code}: ${words}`, code, reference: context.get('reference') },
    { status, headers: { ...headers, 'cache-control': 'no-store' } },
  );
};
