/** What @rds-iam/core calls its options, and what a user of the command line calls them. */
const WORDS: readonly (readonly [core: RegExp, ours: string])[] = [
  [/so set "region" or AWS_REGION/, 'so give --region or set AWS_REGION'],
  [/or give "credentials"/, 'or give --profile'],
  [/set the clock or give "clockOffsetMs"/, 'set the clock'],
  [/"socketFolder" is/, '--socket is'],
  [/give "socketFolder"/, 'give --socket'],
  [/set "trustLocalUsers" to true/, 'add --trust-local-users'],
  [/^"password" is false/, '--no-password'],
  [/^"address" is (.*) takes "tls"$/, '--address is $1 takes --tls-cert and --tls-key'],
  [/^"(password|address)" /, '--$1 '],
  [/^"passwordMethod" /, '--password-method '],
  [/^"(hostname|port|username|profile)" (is|has|must)/, '--$1 $2'],
];

/** The message of an error, with the flag where core names the option. */
export function inFlags(message: string): string {
  return WORDS.reduce((text, [core, ours]) => text.replace(core, ours), message);
}
