export default {
  // What is installed here is all there is: without this Next.js takes the nearest lockfile above for its root.
  turbopack: { root: import.meta.dirname },
};
