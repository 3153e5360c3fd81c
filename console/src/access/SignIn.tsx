import { useEffect, useId, useRef, useState, type FormEvent } from 'react';

import type { Access } from './use-access';

/** Asks for an API key. What is typed goes to this server only, and is kept for this tab only. */
export function SignIn({ access }: { access: Access }) {
  const [trying, setTrying] = useState(false);
  const [empty, setEmpty] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const problem = empty ? 'Type or paste an API key.' : access.refusal;

  useEffect(() => field.current?.focus(), []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const key = field.current?.value.trim() ?? '';
    setEmpty(key === '');
    if (key === '' || trying) return field.current?.focus();
    setTrying(true);
    await access.signIn(key);
    setTrying(false);
    // Still here: it was not taken.
    field.current?.select();
  };

  return (
    <section className="card sign-in" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Sign in</h2>
      <p id={`${id}-help`}>
        This server asks for an API key with the scopes <code>jobs:read</code> and <code>deliveries:read</code>. Its operator
        makes one with <code>tidings keys create --scope jobs:read --scope deliveries:read</code>.
      </p>
      <form onSubmit={event => void submit(event)} noValidate>
        <label htmlFor={`${id}-key`}>API key</label>
        <input
          id={`${id}-key`}
          ref={field}
          type="password"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          placeholder="tid_…"
          aria-describedby={problem ? `${id}-problem ${id}-help` : `${id}-help`}
          aria-invalid={problem !== undefined}
          onChange={() => setEmpty(false)}
        />
        <div role="alert" id={`${id}-problem`} className="sign-in-problem">
          {problem}
        </div>
        <button type="submit" className="button primary" aria-disabled={trying}>
          {trying ? 'Signing in…' : 'Sign in'}
        </button>
      </form>
      <p className="sign-in-note">The key stays in this tab; closing the tab forgets it.</p>
    </section>
  );
}
