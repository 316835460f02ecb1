/** Runs once before all test files. What it starts, it ends in the function it returns. */
export async function setup(): Promise<() => Promise<void>> {
  return async () => {};
}
