/** A message: its type, its length, which counts itself, and its body. */
export function encodeMessage(type: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type, 'latin1'), withLength(body)]);
}

/** As the first packets of a connection are, which have no type. */
export function withLength(body: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length + 4);
  return Buffer.concat([length, body]);
}
