import { fileURLToPath } from 'node:url';

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** The server that `npm run dev` talks to; the built page is served by Tidings itself. */
const server = process.env['TIDINGS_URL'] ?? 'http://127.0.0.1:3978';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: {
      // Both say in the file why they stand in.
      'botframework-directlinespeech-sdk': here('src/chat/no-speech.ts'),
      'use-propagate': here('src/chat/use-propagate.ts'),
      // markdown-it (inside Web Chat) imports Node's `punycode`; in a browser it must be the npm package.
      punycode: 'punycode/punycode.js'
    },
    dedupe: ['react', 'react-dom']
  },
  build: {
    target: 'es2022',
    sourcemap: false,
    // Web Chat is one large chunk on purpose: it is loaded after the shell has been drawn.
    chunkSizeWarningLimit: 4000
  },
  server: {
    proxy: {
      '/api': server,
      '/v3': { target: server, ws: true }
    }
  }
});
