/**
 * Stands in for `botframework-directlinespeech-sdk` (vite.config.ts): Web Chat imports it for conversations by voice, which
 * this page does not offer, and it is a quarter of Web Chat's size.
 */
export function createAdapters(): never {
  throw new Error('This page is built without Direct Line Speech.');
}
