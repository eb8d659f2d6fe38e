// The parts that `rds-iam doctor` uses to find out why a login fails. Not for applications.
export { type DatabaseEngine, type IamAvailability, iamAvailability } from './availability.js';
export { awsClockSkewMs } from './aws-clock.js';
export { bundleUrl, downloadBundle, PUBLIC_PARTITIONS, type RdsRoot, readBundle } from './ca-bundles.js';
export { type Classification, classify } from './classify.js';
export { Credentials, defaultCredentials } from './credentials.js';
export { NOTABLE_SKEW_MS } from './diagnosis.js';
export { redact } from './redaction.js';
export { packagedRoots, regionsWithRoots } from './roots.js';
