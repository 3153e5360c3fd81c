import { useEffect, useState } from 'react';

/** The time, every second while it matters. */
export function useNow(matters: boolean): Date {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    if (!matters) return;
    setNow(new Date());
    const timer = setInterval(() => setNow(new Date()), 1_000);
    return () => clearInterval(timer);
  }, [matters]);
  return now;
}
