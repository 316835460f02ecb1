import { CommandError } from '../errors.ts';

const timeoutMs = 15_000;

export type Asked = { status: number; answer: Record<string, unknown> };

/** One request to an OAuth endpoint: a form, or nothing. No redirect is followed, since it carries secrets. */
export async function ask(address: string, form?: Readonly<Record<string, string>>): Promise<Asked> {
  let response: Response;
  try {
    response = await fetch(address, {
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
      headers: { accept: 'application/json' },
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw new CommandError(
      'not_reached',
      `${address} could not be reached.`,
      'Check the address of the instance and the network.',
      { cause },
    );
  }
  const answer: unknown = await response.json().catch(() => undefined);
  return {
    status: response.status,
    answer: typeof answer === 'object' && answer !== null ? (answer as Record<string, unknown>) : {},
  };
}
