/** What is said about the settings of a protection and the ways past it. */
export const protectionErrors = {
  // projects
  confirmation_needed: {
    status: 400,
    title: 'This has to be confirmed',
    mend: 'Send what is to be opened once more in the field named here.',
  },

  // protection
  secret_taken: {
    status: 409,
    title: 'The project has this bypass secret already',
    mend: 'Leave the secret out: a new one is made.',
  },
  too_many_bypasses: {
    status: 409,
    title: 'The project has too many bypass secrets',
    mend: 'Revoke those that nothing uses any more, then make the new one.',
  },
} as const;
