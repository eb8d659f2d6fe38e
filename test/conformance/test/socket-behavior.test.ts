import { describeSocketBehavior, SOCKETS } from '../src/index.js';

for (const socket of SOCKETS) describeSocketBehavior(socket);
