// The emulator in a process of its own, as a server is: started by fork(), told its options in the first message.
import { startEmulator } from '@rds-iam/emulator';

process.once('message', async (options) => {
  const { port, ca } = await startEmulator(options);
  process.send({ port, ca });
  process.on('message', () => process.send({ peakRssBytes: process.resourceUsage().maxRSS * 1024 }));
});
process.on('disconnect', () => process.exit());
