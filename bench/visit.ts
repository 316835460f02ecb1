import { createPassportWorld, passPassport } from '../tests/harness/passport-world.ts';
import type { BaseUrls } from '../tests/harness/tessera-environment.ts';
import { createVisitor } from '../tests/harness/visitor.ts';

/** A deployment behind Passport before this upstream, and what the browser of a signed-in visitor sends to it. */
export async function setUpVisit(
  urls: BaseUrls,
  setUpLink: string,
  upstream: string,
): Promise<{ host: string; cookie: string }> {
  const world = await createPassportWorld(urls, setUpLink);
  try {
    const { deployment, call, team } = world;
    const { url } = await call('deployments.create', {
      query: { teamId: team.id },
      body: { projectId: deployment.projectId, environment: 'production', upstream },
    });
    const visitor = createVisitor();
    const page = await passPassport(visitor, url);
    if (page.status !== 200) throw new Error(`the visitor was answered ${page.status}: ${page.text}`);
    return { host: new URL(url).host, cookie: visitor.cookies.header(new URL(url)) ?? '' };
  } finally {
    await world.close();
  }
}
