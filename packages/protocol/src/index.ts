// The RFCs' words: types, constants and pure functions. It does no I/O and depends on jose alone.
export {};
