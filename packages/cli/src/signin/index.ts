export { createSignInExplain } from './sign-in-explain.ts';
