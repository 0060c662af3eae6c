import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const client = new URL('../client/src/', import.meta.url).pathname;

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^livekit-room-agent\/react$/, replacement: `${client}react.ts` },
      { find: /^livekit-room-agent$/, replacement: `${client}index.ts` },
    ],
    // client/ may have packages of its own: there is one React.
    dedupe: ['react', 'react-dom'],
  },
  build: {
    target: 'es2023',
    assetsInlineLimit: 0, // The policy of `dev` allows no data: URLs.
    chunkSizeWarningLimit: 1500,
  },
});
