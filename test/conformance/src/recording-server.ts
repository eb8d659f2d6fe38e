/** A server that is after tokens. */
export interface RecordingServer extends AsyncDisposable {
  readonly port: number;
  /** Every byte that arrived, in clear: what was encrypted to this server is decrypted. */
  received(): string;
}
