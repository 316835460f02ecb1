/** Runs one of several equal questions that are asked at once; the others wait for its answer. */
export function createSingleFlight<Value>(): (key: string, ask: () => Promise<Value>) => Promise<Value> {
  const flights = new Map<string, Promise<Value>>();
  return async (key, ask) => {
    const known = flights.get(key);
    if (known !== undefined) return known;
    const flight = ask().finally(() => flights.delete(key));
    flights.set(key, flight);
    return flight;
  };
}

export async function digest(...parts: readonly (string | undefined)[]): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify(parts.map((part) => part ?? null)));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
