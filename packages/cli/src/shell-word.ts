/** A word for a shell, quoted where it needs to be. */
export const shellWord = (text: string) =>
  /^[\w./:@%=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** With a space before it; empty if the region is not known. */
export const regionFlag = (region: string | undefined) =>
  region === undefined ? '' : ` --region ${shellWord(region)}`;
