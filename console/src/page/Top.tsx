import { Mark } from './icons';

export interface View {
  readonly title: string;
  readonly href: string;
  readonly current: boolean;
  /** Whether something happened there meanwhile. */
  readonly news: boolean;
}

interface Props {
  /** Where one can go; nowhere before one is signed in. */
  readonly views?: readonly View[];
  readonly signOut?: (() => void) | undefined;
}

/** The head of the page. */
export function Top({ views = [], signOut }: Props) {
  return (
    <header className="top">
      <Mark />
      <h1>Tidings</h1>
      <p>A bot that speaks first: it remembers who asked, and brings the news when the work is done.</p>
      {views.length > 0 && (
        <nav className="views" aria-label="Views">
          {views.map(({ title, href, current, news }) => (
            <a key={href} href={href} aria-current={current ? 'page' : undefined}>
              {title}
              {news && (
                <span className="unread">
                  <span className="visually-hidden"> (new message)</span>
                </span>
              )}
            </a>
          ))}
        </nav>
      )}
      {signOut && (
        <button type="button" className="button small sign-out" onClick={signOut}>
          Sign out
        </button>
      )}
    </header>
  );
}
