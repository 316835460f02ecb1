import { apiTokenMigrations } from '#api-tokens';
import { appMigrations } from '#apps';
import { attemptMigrations } from '#attempts';
import { auditMigrations } from '#audit';
import { changeMigrations } from '#changes';
import { clientMigrations } from '#clients';
import { codeMigrations } from '#codes';
import { connectorKeyMigrations, connectorMigrations } from '#connectors';
import { consentMigrations } from '#consents';
import { credentialMigrations } from '#credentials';
import { deploymentMigrations, domainMigrations } from '#deployments';
import { dpopMigrations } from '#dpop';
import { jobMigrations } from '#jobs';
import { keyMigrations } from '#keys';
import { limitMigrations } from '#limits';
import { logoutMigrations } from '#logout';
import { projectMigrations } from '#projects';
import { bypassMigrations } from '#protection';
import { connectorTestMigrations } from '#providers';
import { deviceRequestMigrations, requestMigrations } from '#requests';
import { sessionMigrations } from '#sessions';
import { teamMigrations } from '#teams';
import { tokenMigrations } from '#tokens';
import { userMigrations } from '#users';
import { visitorMigrations } from '#visitors';
import { trustPolicyMigrations, workloadTokenMigrations } from '#workloads';

/** What every room keeps in the database: one series over all rooms, ordered by name. */
export const migrations = [
  codeMigrations,
  auditMigrations,
  limitMigrations,
  changeMigrations,
  jobMigrations,
  keyMigrations,
  userMigrations,
  sessionMigrations,
  credentialMigrations,
  teamMigrations,
  projectMigrations,
  deploymentMigrations,
  domainMigrations,
  bypassMigrations,
  apiTokenMigrations,
  appMigrations,
  consentMigrations,
  requestMigrations,
  deviceRequestMigrations,
  connectorMigrations,
  connectorKeyMigrations,
  connectorTestMigrations,
  visitorMigrations,
  attemptMigrations,
  tokenMigrations,
  trustPolicyMigrations,
  logoutMigrations,
  dpopMigrations,
  clientMigrations,
  workloadTokenMigrations,
].flat();
