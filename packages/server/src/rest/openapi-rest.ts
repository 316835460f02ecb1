import { getRoute, openApiDocument } from '@tessera/contract';
import { restDoor, type RestDoor } from '#http';

/** `GET /openapi.json`: the contract as a document. */
export function createOpenApiRest(instance: { api: string; version: string }): readonly RestDoor[] {
  const document = openApiDocument(instance);
  return [restDoor(getRoute('openapi.get'), async () => document)];
}
