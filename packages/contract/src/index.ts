// The REST contract: schemas and routes as data, shared by the server, the dashboard and the command line.
export {};
