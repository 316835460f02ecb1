import tls from 'node:tls';

export type Mapping = { hosts: readonly string[]; port: number };

/**
 * Connections of this process to port 443 of these hosts go to a port of loopback; the name that the certificate has
 * to be for stays as it was. It is where every client of Node ends, `fetch` and `node:https` alike.
 */
export function mapHosts({ hosts, port }: Mapping, certificate?: string): () => void {
  const { connect } = tls;
  const known = tls.getCACertificates('default');
  if (certificate !== undefined) tls.setDefaultCACertificates([...known, certificate]);
  tls.connect = (...given: unknown[]) => {
    const [options, ...rest] = given as [tls.ConnectionOptions, ...unknown[]];
    const isMapped =
      typeof options === 'object' && hosts.includes(String(options.host)) && Number(options.port) === 443;
    const mapped = isMapped
      ? { ...options, servername: options.servername ?? options.host, host: '127.0.0.1', port }
      : options;
    return (connect as (...all: unknown[]) => tls.TLSSocket)(mapped, ...rest);
  };
  return () => {
    tls.connect = connect;
    if (certificate !== undefined) tls.setDefaultCACertificates(known);
  };
}
