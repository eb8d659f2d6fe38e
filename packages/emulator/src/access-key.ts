/** An access key that may sign tokens. Make one up: nothing here talks to AWS. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** With it, only tokens of a session that carry exactly this are good; without it, only tokens that carry none. */
  readonly sessionToken?: string;
  /**
   * The database users that its `rds-db:connect` policy permits.
   * @defaultValue every user
   */
  readonly usernames?: readonly string[];
}
