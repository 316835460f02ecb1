import { isDecisionProbe } from '@tessera/protocol';
import { publicError } from '#errors';
import { equalInConstantTime, hashSecret } from '#sealing';
import type { Socket } from 'node:net';
import { valuesOf, type HeaderList } from '../request/header-list.ts';

/** As in the configuration: who may ask, and about which hosts (`*.example.app` is every host below). */
export type FrontProxyBinding = {
  readonly name: string;
  readonly credential: string;
  readonly hosts: readonly string[];
};

export type FrontProxy = {
  readonly name: string;
  mayAskAbout(host: string): boolean;
  /** Whether somebody who knows its credential asks to be left without an answer. */
  isProbe(value: string, now: number): Promise<boolean>;
};

/** Who asks is known by a credential of its own: an address inside somebody's network proves nothing. */
export function createFrontProxies(bindings: readonly FrontProxyBinding[], credentialHeader: string) {
  const proxies = bindings.map(({ name, credential, hosts }) => ({
    name,
    credentialHash: hashSecret(credential),
    isProbe: (value: string, now: number) => isDecisionProbe(value, credential, now),
    mayAskAbout: (host: string) =>
      hosts.some((bound) => (bound.startsWith('*.') ? host.endsWith(bound.slice(1)) : host === bound)),
  }));

  /** A proxy keeps its connections and shows the same there with every question: it is hashed once on each. */
  const shownOn = new WeakMap<Socket, { credential: Uint8Array; proxy: FrontProxy }>();

  return {
    /** @throws {PublicError} `decision_credential_refused` */
    authenticate({ rawHeaders, socket }: { rawHeaders: HeaderList; socket: Socket }): FrontProxy {
      const [credential, ...more] = valuesOf(rawHeaders, credentialHeader);
      if (credential === undefined) {
        throw refused('No credential was received.');
      }
      if (more.length > 0) throw refused('Two credentials were received.');
      const shown = shownOn.get(socket);
      if (shown !== undefined && equalInConstantTime(shown.credential, credential)) return shown.proxy;
      const hash = hashSecret(credential);
      const found = proxies.find((proxy) => equalInConstantTime(proxy.credentialHash, hash));
      if (found === undefined) throw refused('The credential is none of those that are known here.');
      shownOn.set(socket, { credential: Buffer.from(credential), proxy: found });
      return found;
    },
  };
}

function refused(description: string) {
  return publicError('decision_credential_refused', { description });
}
