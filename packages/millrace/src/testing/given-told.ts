/** For tests of the test kit: what the author of a failing test is told. */
export function toldBy(test: () => unknown): string {
  try {
    test();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the test under test passes");
}
