const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

/** Starts the emulator in front of the server that UPSTREAM names, has something log in through it, and ends it. */
exports.withEmulator = async (startEmulator, engine, logIn) => {
  const upstream = JSON.parse(process.env.UPSTREAM);
  const emulator = await startEmulator({ engine, upstream, region: 'eu-west-1', accessKeys: [CREDENTIALS] });
  const iam = { region: 'eu-west-1', credentials: CREDENTIALS, ca: emulator.ca };
  try {
    const rows = await logIn({ host: 'localhost', port: emulator.port, user: 'app', iam });
    if (Number(rows[0].one) !== 1 || emulator.stats.accepted !== 1) throw new Error('the login did not go by a token');
  } finally {
    await emulator.close();
  }
};
