import { z } from 'zod';
import { teamQuery, timeSchema } from './names.ts';
import { pageQuery, paginationSchema } from './pagination.ts';

export const auditRecordSchema = z.strictObject({
  id: z.string(),
  at: timeSchema,
  actor: z.string(),
  action: z.string(),
  object: z.string(),
  teamId: z.string().nullable(),
  before: z.unknown(),
  after: z.unknown(),
  reference: z.string().nullable(),
});
export type AuditRecordDocument = z.infer<typeof auditRecordSchema>;

export const listAuditLogQuery = z.strictObject({ ...teamQuery, ...pageQuery });
export const listAuditLogAnswer = z.strictObject({
  records: z.array(auditRecordSchema),
  pagination: paginationSchema,
});
