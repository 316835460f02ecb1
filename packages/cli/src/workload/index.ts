// The token of the workload that this runs in: at the endpoint beside a running deployment, from what a build was given,
// or by the login on a developer's machine. Owns the forms in which clouds read it; decides nothing about who gets one.
export { createWorkloadToken } from './workload-token.ts';
