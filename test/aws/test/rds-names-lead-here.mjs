// Loaded before the suite where the emulator stands in for RDS: the names of RDS endpoints are this machine.
import net from 'node:net';

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function connectToThisMachine(...given) {
  // As users call it, or with the list that net.connect() makes of what it is given.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof first === 'object' ? first : { port: first, host: second };
  if (!options.host?.endsWith('.rds.amazonaws.com')) return connect.apply(this, given);
  return connect.call(this, { ...options, host: '127.0.0.1' });
};
