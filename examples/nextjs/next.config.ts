import type { NextConfig } from 'next';

const config: NextConfig = {
  // The package is whole by itself: without this Next.js takes the nearest lockfile above for its root.
  turbopack: { root: import.meta.dirname },
};

export default config;
