// The argon2 queue: hashes and compares passwords, two at a time, off the main thread.
// Does not know users, does not store anything, does not judge whether a password is good.
export { createPasswords, type Passwords, type VerifiedPassword } from './passwords.ts';
export { QueueFull } from './bounded-queue.ts';
