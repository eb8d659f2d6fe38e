// A certificate authority of its own for each emulator, and for tests that need one.
import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';

/** A certificate authority that lives as long as the object. Its key never leaves it. */
export interface CertificateAuthority {
  /** Its certificate (PEM), for a client to trust. */
  readonly ca: string;
  /** Makes a server certificate with a new key. */
  issue(options: CertificateOptions): Promise<IssuedCertificate>;
}

/** What a certificate is for, and when it is valid. */
export interface CertificateOptions {
  /** DNS names and IP addresses that the certificate is for; at least one. */
  readonly hostnames: readonly string[];
  /** @defaultValue 2020-01-01, whatever the clock of the test */
  readonly notBefore?: Date;
  /** @defaultValue 2049-12-31 */
  readonly notAfter?: Date;
}

/** A certificate with its key, for `tls.createServer`. */
export interface IssuedCertificate {
  /** PEM. */
  readonly cert: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

const VALIDITY = { notBefore: new Date('2020-01-01T00:00:00Z'), notAfter: new Date('2049-12-31T00:00:00Z') };
const ECDSA = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

/**
 * Makes a certificate authority with a new ECDSA P-256 key.
 * @throws TypeError from `issue` if `hostnames` is empty
 */
export async function createCertificateAuthority(): Promise<CertificateAuthority> {
  // Loading it takes longer than using it here.
  const { generate } = await import('selfsigned');
  // A name of its own: a client that trusts another such authority must see an unknown issuer, not a forged one.
  const name = `rds-iam emulator CA ${randomBytes(8).toString('hex')}`;
  const authority = await generate([{ name: 'commonName', value: name }], {
    ...ECDSA,
    notBeforeDate: VALIDITY.notBefore,
    notAfterDate: VALIDITY.notAfter,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return {
    ca: authority.cert,
    async issue({ hostnames, notBefore = VALIDITY.notBefore, notAfter = VALIDITY.notAfter }) {
      if (hostnames.length === 0) throw new TypeError('"hostnames" must name at least one host, got an empty list');
      const leaf = await generate([{ name: 'commonName', value: 'rds-iam emulator' }], {
        ...ECDSA,
        ca: { cert: authority.cert, key: authority.private },
        notBeforeDate: notBefore,
        notAfterDate: notAfter,
        extensions: [
          { name: 'basicConstraints', cA: false, critical: true },
          { name: 'keyUsage', digitalSignature: true, critical: true },
          { name: 'extKeyUsage', serverAuth: true },
          {
            name: 'subjectAltName',
            altNames: hostnames.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
          },
        ],
      });
      return { cert: leaf.cert, key: leaf.private };
    },
  };
}
