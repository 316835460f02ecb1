// `curl` with the right token put in: which address, what lets the request pass, and a run of the real curl that cannot
// carry it anywhere else. Owns no protocol: the instance says whose a host is, and what would become of the request.
export { createCurl } from './curl.ts';
