/** Lets others have their turn of the event loop: for work that would hold them up. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
