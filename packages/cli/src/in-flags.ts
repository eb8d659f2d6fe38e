/** What @rds-iam/core calls its options, and what a user of the command line calls them. */
const WORDS: readonly (readonly [core: RegExp, ours: string])[] = [
  [/so set "region" or AWS_REGION/, 'so give --region or set AWS_REGION'],
  [/or give "credentials"/, 'or give --profile'],
  [/set the clock or give "clockOffsetMs"/, 'set the clock'],
  [/^"(hostname|port|username|profile)" (is|has|must)/, '--$1 $2'],
];

/** The message of an error, with the flag where core names the option. */
export function inFlags(message: string): string {
  return WORDS.reduce((text, [core, ours]) => text.replace(core, ours), message);
}
