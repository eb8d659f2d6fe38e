// Loaded before a program of the documentation, which then runs as it stands: RDS names, and the ports that databases have
// by default on this machine, lead to the test's own servers. Their CAs are in NODE_EXTRA_CA_CERTS.
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';

dns.setServers([process.env.PRETENDED_DNS]);
const { lookup } = dns;
dns.lookup = (name, options) => lookup(name.endsWith('.rds.amazonaws.com') ? '127.0.0.1' : name, options);
syncBuiltinESMExports();

const RDS_PORTS = JSON.parse(process.env.PRETENDED_RDS_PORTS);
const LOCAL_PORTS = JSON.parse(process.env.PRETENDED_LOCAL_PORTS);
const LOCAL = new Set(['127.0.0.1', 'localhost']);

function portFor(host, port) {
  if (host?.endsWith('.rds.amazonaws.com')) return RDS_PORTS[port];
  return LOCAL.has(host) ? LOCAL_PORTS[port] : undefined;
}

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function connectToThisMachine(...given) {
  // As users call it, or with the list that net.connect() makes of what it is given.
  const [first, second] = Array.isArray(given[0]) ? given[0] : given;
  const options = typeof first === 'object' ? first : { port: first, host: second };
  const port = portFor(options.host, options.port);
  return port === undefined
    ? connect.apply(this, given)
    : connect.call(this, { ...options, host: '127.0.0.1', port: Number(port) });
};
