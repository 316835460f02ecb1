import { z } from 'zod';

/** The place in a list ordered by time and id. Opaque to callers; it names nothing they did not see. */
export type Cursor = { readonly createdAt: number; readonly id: string };

export function formatCursor({ createdAt, id }: Cursor): string {
  return `${createdAt}.${id}`;
}

/** The cursor's place, or undefined when the text is none of ours. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^(\d{1,15})\.([0-9A-Za-z_]{1,64})$/.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { createdAt: Number(match[1]), id: match[2] };
}

/** How a list is asked for: at most `limit` entries, after the place where the last page ended. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: z
    .string()
    .max(200)
    .transform((text, context): Cursor => {
      const place = parseCursor(text);
      if (place !== undefined) return place;
      context.addIssue({ code: 'custom', message: `"${text}" is not a cursor that an earlier page gave` });
      return z.NEVER;
    })
    .optional(),
};

export const paginationSchema = z.strictObject({
  next: z.string().nullable().meta({ description: 'The cursor of the next page; null on the last' }),
});

/** Makes a page of rows that were asked for with one more than `limit`: the extra one tells that there is more. */
export function pageOf<Row extends Cursor>(
  rows: readonly Row[],
  limit: number,
): { rows: Row[]; pagination: { next: string | null } } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return {
    rows: page,
    pagination: { next: rows.length > limit && last !== undefined ? formatCursor(last) : null },
  };
}
