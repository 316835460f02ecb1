// `node --import` this: what is started afterwards knows nothing of it.
import { mapHosts, type Mapping } from './map-hosts.ts';

mapHosts(JSON.parse(process.env['MAPPED_HOSTS'] ?? '{"hosts":[]}') as Mapping);
