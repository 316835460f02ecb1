import { z } from 'zod';

/** RFC 9457 problem document, with our stable `code`, the `mend`, and the request's `reference`. */
export const problemSchema = z.strictObject({
  type: z.string().meta({ description: 'A URI that names the kind of problem' }),
  title: z.string(),
  status: z.int(),
  detail: z.string().meta({ description: 'What was received and what was expected' }),
  code: z.string().meta({ description: 'Stable; the same as the last part of `type`' }),
  mend: z.string().meta({ description: 'What to do about it' }),
  reference: z.string().meta({ description: 'Finds this request in logs and sign-in attempts' }),
});
export type Problem = z.infer<typeof problemSchema>;
