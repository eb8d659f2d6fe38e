// The emulator in a process of its own, as a server is: started by fork(), told its options in the first message.
import { startEmulator } from '@rds-iam/emulator';

process.once('message', async (options) => {
  let logins = [];
  const emulator = await startEmulator({ ...options, onLogin: (login) => logins.push(login) });
  const { port, ca } = emulator;
  const answers = {
    memory: () => ({ peakRssBytes: process.resourceUsage().maxRSS * 1024 }),
    /** Sets what goes wrong, and begins the log anew. */
    faults(faults) {
      emulator.setFaults(faults);
      logins = [];
      return {};
    },
    log: () => ({ logins, open: emulator.stats.open }),
  };
  process.send({ port, ca });
  process.on('message', ([question, ...given]) => process.send(answers[question](...given)));
});
process.on('disconnect', () => process.exit());
