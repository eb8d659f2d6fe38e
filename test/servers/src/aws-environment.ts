/**
 * Puts AWS's settings, and nothing else of AWS, into the environment of this process: no setting of the developer's, no
 * service of AWS and no instance metadata is in reach unless the settings name it.
 *
 * @param settings - variables by name; `undefined` takes away one that is set by default
 * @returns what puts the environment back as it was
 */
export function setAwsEnvironment(settings: Readonly<Record<string, string | undefined>> = {}): () => void {
  const before = awsVariables();
  replaceAwsVariables({ ...OUT_OF_REACH, ...settings });
  return () => replaceAwsVariables(before);
}

// Port 9 of loopback answers nobody.
const OUT_OF_REACH = {
  AWS_EC2_METADATA_DISABLED: 'true',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  AWS_CONFIG_FILE: '/nonexistent/aws-config',
  AWS_SHARED_CREDENTIALS_FILE: '/nonexistent/aws-credentials',
  AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
};

function awsVariables(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => name.startsWith('AWS_')));
}

function replaceAwsVariables(settings: Readonly<Record<string, string | undefined>>): void {
  for (const name of Object.keys(awsVariables())) delete process.env[name];
  for (const [name, value] of Object.entries(settings)) if (value !== undefined) process.env[name] = value;
}
