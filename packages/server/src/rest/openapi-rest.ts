import { getRoute, openApiDocument } from '@tessera/contract';
import { restDoor, type RestDoor } from '#http';

/** `GET /openapi.json`: the contract as a document, made when it is first asked for. */
export function createOpenApiRest(instance: { api: string; version: string }): readonly RestDoor[] {
  let document: ReturnType<typeof openApiDocument> | undefined;
  return [
    restDoor(getRoute('openapi.get'), async () => {
      document ??= openApiDocument(instance);
      return document;
    }),
  ];
}
