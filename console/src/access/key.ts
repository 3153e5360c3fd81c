/** The API key of this visit. It is kept for the tab only: closing it signs out. */
const item = 'tidings.console.key';

export function loadKey(): string | undefined {
  try {
    return sessionStorage.getItem(item) ?? undefined;
  } catch {
    // Storage may be switched off: then the key lives as long as the page.
    return undefined;
  }
}

export function saveKey(key: string): void {
  try {
    sessionStorage.setItem(item, key);
  } catch {
    // As above.
  }
}

export function forgetKey(): void {
  try {
    sessionStorage.removeItem(item);
  } catch {
    // Nothing was kept.
  }
}
