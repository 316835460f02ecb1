// The audit log: append-only records of every change and every token minted. Owns its table and the form of a
// record; what is worth a record is decided by who does it.
export { auditMigrations } from './audit-migrations.ts';
export { createAudit } from './audit-store.ts';
export type { Audit, AuditEntry, AuditRecord } from './audit-store.ts';
