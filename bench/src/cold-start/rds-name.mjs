// Loaded before a program that is measured: the name of an RDS endpoint leads to this machine, and to nothing else.
import dns from 'node:dns';

const { lookup } = dns;
dns.lookup = (name, options, callback) =>
  lookup(name === process.env.BENCH_HOSTNAME ? '127.0.0.1' : name, options, callback);
