import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { within } from './wait.mjs';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** The binary under test: `TIDINGS_BIN`, or the release build of this checkout. */
function binary() {
  const named = process.env.TIDINGS_BIN;
  const path = named ?? join(targetDirectory(), 'release', 'tidings');
  if (!existsSync(path)) {
    throw new Error(`${path} is not there. Run: cargo build --release -p tidings-cli (or name another with TIDINGS_BIN)`);
  }
  return path;
}

function targetDirectory() {
  if (process.env.CARGO_TARGET_DIR) return process.env.CARGO_TARGET_DIR;
  const metadata = execFileSync('cargo', ['metadata', '--format-version=1', '--no-deps', '--offline'], {
    cwd: repository,
    maxBuffer: 64 * 1024 * 1024
  });
  return JSON.parse(metadata).target_directory;
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

/** A server with a database of its own, which can be killed and started again on the same port. */
export class Server {
  #folder = mkdtempSync(join(tmpdir(), 'tidings-interop-'));
  #child;
  #exited;
  #output = '';

  #env;

  constructor(env) {
    // Nothing of the caller's settings: neither its environment nor a .env beside it.
    this.#env = { PATH: process.env.PATH, HOME: this.#folder, ...env };
  }

  /** One with these settings that does not run yet. */
  static async prepare({ env = {} } = {}) {
    const server = new Server(env);
    server.port = await freePort();
    return server;
  }

  /** Starts one with these settings, and waits until it says that it is ready. */
  static async start(settings) {
    const server = await Server.prepare(settings);
    await server.start();
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get database() {
    return `sqlite://${join(this.#folder, 'tidings.db')}`;
  }

  get directLine() {
    return `${this.url}/v3/directline`;
  }

  async start() {
    const child = spawn(binary(), ['serve', '--listen', `127.0.0.1:${this.port}`, '--database', this.database], {
      cwd: this.#folder,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe']
    });
    this.#child = child;
    this.#exited = once(child, 'exit');
    const ready = new Promise((resolve, reject) => {
      let line = '';
      child.stdout.setEncoding('utf8').on('data', text => {
        line += text;
        if (line.includes('is ready')) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => reject(new Error(`it ended with ${code ?? signal}`)));
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.#output = (this.#output + text).slice(-8_000);
      });
    }
    await within('the server to be ready', ready, { details: this.log });
  }

  /** What another command of the binary prints, with this server's settings. */
  command(...words) {
    const options = { cwd: this.#folder, env: this.#env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] };
    return execFileSync(binary(), words, options).trim();
  }

  /** kill -9: nothing is flushed, nobody is told. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** What an operator does: SIGTERM. Removes the database too. Resolves to the exit code. */
  async stop() {
    this.#child.kill('SIGTERM');
    const [code] = await within('the server to stop', this.#exited, { details: this.log });
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }

  /** The last lines it wrote. */
  log = () => `The server's last lines:\n${this.#output.trimEnd() || '(none)'}`;
}
