import { Mark } from './icons';

/** The head of the page. */
export function Top({ signOut }: { signOut?: (() => void) | undefined }) {
  return (
    <header className="top">
      <Mark />
      <h1>Tidings</h1>
      <p>A bot that speaks first: it remembers who asked, and brings the news when the work is done.</p>
      {signOut && (
        <button type="button" className="button small sign-out" onClick={signOut}>
          Sign out
        </button>
      )}
    </header>
  );
}
