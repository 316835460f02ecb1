/** The words that every page shares. Each room with pages keeps its own beside its doors. */
export const words = {
  brand: 'Tessera',
  language: 'en',
  errorReference: 'Reference',
  errorCode: 'Code',
  mendTitle: 'What you can do',
  copy: 'Copy',
  copied: 'Copied',
  show: 'Show',
  optional: 'optional',
  skipToContent: 'Skip to the content',
  webMessage: {
    title: 'Back to the app',
    sent: 'You are signed in where you came from. This window closes by itself.',
    lostTitle: 'The window that you came from is gone',
    lost: 'The answer belongs to the window of the app that opened this one. There is none, or your browser has parted the two, or scripts are switched off.',
    lostMend: 'Close this window, go back to the app and sign in again.',
    lostCode: 'opener_lost',
  },
  meanings: {
    good: 'Done',
    warning: 'Take care',
    danger: 'Problem',
    information: 'Note',
  },
} as const;
