/** The few pictures of the page. All are decoration: whatever they stand beside says it in words. */
function Icon({ path, size = 16 }: { path: string; size?: number }) {
  return (
    <svg className="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={path} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

export const CopyIcon = () => <Icon path="M5.5 5.5v-2a1 1 0 0 1 1-1h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-2M3.5 5.500h6a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-6a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1Z" />;
export const CheckIcon = () => <Icon path="m3 8.5 3.2 3.200L13 4.8" />;
export const CloseIcon = () => <Icon path="m4 4 8 8m0-8-8 8" />;
export const PlusIcon = () => <Icon path="M8 3v10M3 8h10" />;
export const ArrowIcon = () => <Icon path="M3 8h10m-4-4 4 4-4 4" />;

/** A speech bubble with a tide in it. */
export function Mark() {
  return (
    <svg className="mark" width="30" height="30" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect className="mark-tile" width="32" height="32" rx="9" />
      <path
        className="mark-bubble"
        d="M8 9.500h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-8.500L10 25.600v-4.100H8a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2Z"
      />
      <path className="mark-tide" d="M9.5 15.500c1.1-1.7 2.2-1.7 3.3 0s2.2 1.7 3.2 0 2.2-1.7 3.3 0 2.2 1.7 3.2 0" />
    </svg>
  );
}
