// Runs one server for a parent process, and takes it down when the parent goes, however it goes: the parent holds our
// standard input open, and the kernel closes it even after a SIGKILL. Started in a session of its own, so that a Ctrl-C
// at the terminal reaches the parent but not us. A line from the parent has us start the server anew.
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';

const { prepare, serve, stopSignal, folder } = JSON.parse(process.argv[2]);
let stopping = false;
let restarting = false;
let child;

process.stdin.on('data', () => {
  restarting = true;
  kill(stopSignal);
});
process.stdin.on('end', stop);
process.stdin.on('error', stop);

for (const command of prepare) {
  if (stopping) break;
  const code = await run(command);
  if (code !== 0) finish(code);
}
let code = 0;
do {
  restarting = false;
  if (!stopping) code = await run(serve);
} while (restarting && !stopping);
finish(code);

/** Runs a command, in a process group of its own and with its files in our folder, to its end. */
function run({ command, args, options }) {
  const env = { ...process.env, TMPDIR: folder };
  child = spawn(command, args, {
    ...options,
    cwd: folder,
    env,
    detached: true,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code ?? 1));
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
  });
}

function stop() {
  if (stopping) return;
  stopping = true;
  kill(stopSignal);
  setTimeout(() => kill('SIGKILL'), 5_000).unref();
}

/** Signals the whole group: what prepares a server may be a shell script. */
function kill(signal) {
  try {
    if (child?.pid) process.kill(-child.pid, signal);
  } catch {
    // It has ended already.
  }
}

function finish(code) {
  // Processes of a killed group may still be on their way out, and hold or write files.
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  process.exit(code);
}
