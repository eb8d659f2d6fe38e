/**
 * Makes these the only AWS settings in the environment of this process: no developer setting, AWS service or instance metadata
 * is in reach unless the settings name it.
 *
 * @param settings - variables by name; `undefined` removes one that is set by default
 * @returns a function that restores the environment
 */
export function setAwsEnvironment(settings: Readonly<Record<string, string | undefined>> = {}): () => void {
  const before = awsVariables();
  replaceAwsVariables({ ...OUT_OF_REACH, ...settings });
  return () => replaceAwsVariables(before);
}

// Nothing answers at port 9 on loopback.
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
