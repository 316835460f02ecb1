import { isDecisionProbe } from '@tessera/protocol';
import { publicError } from '#errors';
import { equalInConstantTime, hashSecret } from '#sealing';
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

  return {
    /** @throws {PublicError} `decision_credential_refused` */
    authenticate(sent: HeaderList): FrontProxy {
      const [credential, ...more] = valuesOf(sent, credentialHeader);
      if (credential === undefined) {
        throw refused('No credential was received.');
      }
      if (more.length > 0) throw refused('Two credentials were received.');
      const hash = hashSecret(credential);
      const found = proxies.filter((proxy) => equalInConstantTime(proxy.credentialHash, hash));
      if (found[0] === undefined) throw refused('The credential is none of those that are known here.');
      return found[0];
    },
  };
}

function refused(description: string) {
  return publicError('decision_credential_refused', { description });
}
