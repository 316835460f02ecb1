import { read } from '../session';

export default async function Home() {
  const session = await read('session');
  if (!session) {
    return (
      <>
        <h1>Next.js</h1>
        <p>An app that knows nobody yet.</p>
        {/* Not a Link: it would be fetched before anybody clicks it. */}
        <a className="button" id="sign-in" href="/sign-in">
          Sign in with Tessera
        </a>
      </>
    );
  }
  return (
    <>
      <h1>Next.js</h1>
      <p>You are signed in.</p>
      <dl>
        <dt>name</dt>
        <dd id="name">{session.name}</dd>
        <dt>email</dt>
        <dd id="email">{session.email}</dd>
        <dt>sub</dt>
        <dd id="sub">{session.sub}</dd>
        <dt>access token</dt>
        {/* The tokens themselves never leave the server. */}
        <dd id="access-token">{`…${session.accessToken.slice(-6)}`}</dd>
      </dl>
      <form id="renew" method="post" action="/renew">
        <button>Renew the tokens</button>
      </form>
      <form id="sign-out" method="post" action="/sign-out">
        <button>Sign out</button>
      </form>
    </>
  );
}
