// The gateway before the deployments: host → deployment → decide → forward. Owns the data path, what is stripped from
// and added to requests and answers, and the cookies and paths of a deployment's host. Knows no OAuth endpoint and no
// identity provider: it needs a session and a verdict, and sends to `{connect}` whoever has none.
export { createExplainRest } from './explain-rest.ts';
export { createGateway } from './gateway.ts';
export type { Gateway } from './gateway.ts';
export type { GatewayNeeds, Site } from './needs.ts';
