/** An access key that may sign tokens. Make one up: nothing here talks to AWS. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** If given, only tokens with exactly this session token are good; if not, only tokens without any. */
  readonly sessionToken?: string;
  /**
   * The database users that its `rds-db:connect` policy allows.
   * @defaultValue every user
   */
  readonly usernames?: readonly string[];
}
