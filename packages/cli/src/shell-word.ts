/** A word for a shell, quoted where it needs to be. */
export const shellWord = (text: string) =>
  /^[\w./:@%=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
