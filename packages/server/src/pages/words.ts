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
  meanings: {
    good: 'Done',
    warning: 'Take care',
    danger: 'Problem',
    information: 'Note',
  },
} as const;
