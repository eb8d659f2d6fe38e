// AWS's bundles of RDS certificate authorities: where they are, and how to read one.
import { readCertificate } from './builtins.js';
import { isRegion, partitionOf } from './endpoint.js';
import { configError, type RdsIamError } from './errors.js';

/** The certificate of an Amazon RDS certificate authority. */
export interface RdsRoot {
  /** Its common name, such as `Amazon RDS eu-west-1 Root CA RSA2048 G1`. */
  readonly name: string;
  /** The region whose servers it vouches for; absent if it does not belong to one region. */
  readonly region?: string;
  readonly expiration: Date;
  readonly pem: string;
}

// As in the RDS user guides. The addresses for the ISO partitions are not public.
const BUNDLES: Readonly<Record<string, string>> = {
  aws: 'https://truststore.pki.rds.amazonaws.com',
  'aws-us-gov': 'https://truststore.pki.us-gov-west-1.rds.amazonaws.com',
  'aws-cn': 'https://rds-truststore.s3.cn-north-1.amazonaws.com.cn',
};

/** The partitions whose bundles are public. */
export const PUBLIC_PARTITIONS: readonly string[] = Object.keys(BUNDLES);

/** The address of the bundle of a region or, given a partition, of all its regions; undefined if it is not public. */
export function bundleUrl(of: string): string | undefined {
  const name = isRegion(of) ? of : 'global';
  const folder = BUNDLES[isRegion(of) ? partitionOf(of) : of];
  return folder && `${folder}/${name}/${name}-bundle.pem`;
}

const LONGEST_DOWNLOAD_MS = 30_000;
const LARGEST_BUNDLE_BYTES = 2 ** 22;

/**
 * Downloads a bundle over HTTPS. The server is always verified, whatever the environment says about that.
 *
 * @param mirror - a base address to use in place of AWS, with the same files below the name of their host
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` if there is no such bundle, or it cannot be downloaded
 */
export async function downloadBundle(of: string, mirror?: string): Promise<string> {
  const address = bundleUrl(of);
  if (address === undefined) throw refused(`AWS publishes none for "${of}"`);
  const url = mirror ? `${mirror.replace(/\/$/, '')}/${address.slice('https://'.length)}` : address;
  if (!url.startsWith('https://')) throw refused(`${url} is not an HTTPS address`);
  const { get } = await import('node:https');
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown) =>
      reject(configError(undefined, `${url} could not be downloaded: ${why}`, cause));
    const signal = AbortSignal.timeout(LONGEST_DOWNLOAD_MS);
    const request = get(url, { rejectUnauthorized: true, agent: false, signal }, (response) => {
      const { statusCode } = response;
      if (statusCode !== 200) return void request.destroy(new Error(`the answer is ${statusCode}`));
      let text = '';
      response.setEncoding('latin1').on('data', (chunk: string) => {
        text += chunk;
        if (text.length > LARGEST_BUNDLE_BYTES) request.destroy(new Error('it is too large'));
      });
      response.on('error', (error) => fail(error.message, error)).on('end', () => resolve(text));
    });
    request.on('error', (error) => fail(error.message, error));
  });
}

/** The certificates in a text, each as the base64 of its DER. */
export function certificatesIn(text: string): string[] {
  return [...text.matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g)].map(
    ([, body = '']) => body.replace(/\s/g, ''),
  );
}

/** @param base64 - the certificate's DER in base64 */
export function toPem(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)?.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/**
 * Reads a downloaded bundle. Expired certificates are left out; bundles do contain some.
 *
 * @throws RdsIamError `ERR_RDS_IAM_CONFIG` if it contains anything but Amazon RDS authorities, or only expired ones
 */
export function readBundle(text: string, now: number): RdsRoot[] {
  const roots = certificatesIn(text).map(toPem).map(readRoot);
  const lasting = roots.filter(({ expiration }) => expiration.getTime() > now);
  if (lasting.length === 0) {
    throw refused(roots.length === 0 ? 'it contains no certificates' : 'all certificates in it have expired');
  }
  return lasting;
}

/** @throws RdsIamError `ERR_RDS_IAM_CONFIG` if it is not an Amazon RDS authority */
export function readRoot(pem: string): RdsRoot {
  const certificate = readCertificate(pem);
  const subject = certificate.subject.split('\n');
  const name = subject.find((part) => part.startsWith('CN='))?.slice(3) ?? '';
  if (!certificate.ca || !name.startsWith('Amazon RDS ') || !subject.includes('OU=Amazon RDS')) {
    throw refused(`"${subject.join(', ')}" is not an Amazon RDS certificate authority`);
  }
  if (certificate.issuer === certificate.subject && !certificate.verify(certificate.publicKey)) {
    throw refused(`the signature of "${name}" is wrong`);
  }
  const [, region] = /^Amazon RDS (\S+) Root CA /.exec(name) ?? [];
  return { name, ...(region && { region }), expiration: new Date(certificate.validTo), pem };
}

function refused(why: string): RdsIamError {
  return configError(undefined, `not an Amazon RDS certificate bundle: ${why}`);
}
