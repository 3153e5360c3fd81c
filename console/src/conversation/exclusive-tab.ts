/**
 * One tab at a time has the conversations: Direct Line keeps one live stream per conversation, and two tabs would take it
 * from each other for ever. Calls `mine` when this tab has them and `theirs` when another one does.
 *
 * Returns a function that takes them over.
 */
export function exclusiveTab(mine: () => void, theirs: () => void): () => void {
  const name = 'tidings.console';
  // Absent where the page is not in a secure context (plain HTTP from another machine).
  const locks = (navigator as { locks?: LockManager }).locks;
  if (locks === undefined) {
    mine();
    return mine;
  }

  const hold = (lock: Lock | null): Promise<void> => {
    if (lock === null) {
      theirs();
      return Promise.resolve();
    }
    mine();
    // Held until the page goes away, or another tab steals it, which rejects the request below.
    return new Promise(() => undefined);
  };
  locks.request(name, { ifAvailable: true }, hold).catch(theirs);
  return () => {
    locks.request(name, { steal: true }, hold).catch(theirs);
  };
}
