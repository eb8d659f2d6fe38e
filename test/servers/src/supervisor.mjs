// Runs one server for a parent process, and takes it down when the parent goes, however it goes: the parent holds our
// standard input open, and the kernel closes it even after a SIGKILL. Started in a session of its own, so that a Ctrl-C
// at the terminal reaches the parent but not us.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const { command, args, options, folder } = JSON.parse(process.argv[2]);
const server = spawn(command, args, { ...options, stdio: ['ignore', 'inherit', 'inherit'] });

server.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  finish(1);
});
server.on('exit', (code) => finish(code ?? 0));

const stop = () => {
  server.kill('SIGINT');
  setTimeout(() => server.kill('SIGKILL'), 5_000).unref();
};
process.stdin.resume();
process.stdin.on('end', stop);
process.stdin.on('error', stop);

function finish(code) {
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}
