/** How long anything here may take before it counts as never. */
export const PATIENCE_MS = 60_000;

/** The promise's value, or an error that says what was waited for in vain. */
export async function within(what, promise, { milliseconds = PATIENCE_MS, details = () => '' } = {}) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it did not happen within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } catch (error) {
    throw new Error([`While waiting for ${what}: ${error.message}`, details()].filter(Boolean).join('\n'), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
