// A server process under test: started from a command line, killed at the end.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "./wait.mjs";

/** Where command lines are run: the folder of package.json. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const START_TIMEOUT = 10_000;

export class ServerProcess {
  #commandLine;
  #ready;
  #env;
  #child = null;
  #stderr = "";

  /** `ready` is what a line of stdout must match for the server to be up. */
  constructor(commandLine, { ready, env = {} }) {
    this.#commandLine = commandLine;
    this.#ready = ready;
    this.#env = env;
  }

  async start() {
    const [command, ...args] = words(this.#commandLine);
    this.#stderr = "";
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    process.once("exit", () => child.kill("SIGKILL"));
    child.stderr.setEncoding("utf8").on("data", (text) => (this.#stderr = (this.#stderr + text).slice(-8000)));
    const up = new Promise((resolve, reject) => {
      let stdout = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        stdout = (stdout + text).slice(-8000);
        if (this.#ready.test(stdout)) resolve();
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => reject(new Error(`it ended with ${signal ?? code}`)));
    });
    try {
      await within(START_TIMEOUT, `a line like ${this.#ready} of \`${this.#commandLine}\``, up);
    } catch (error) {
      await this.kill();
      throw new Error(`the server did not start: ${error.message}\n${this.#stderr}`, { cause: error });
    }
  }

  /** Ends the process at once, without a chance to say goodbye. */
  async kill() {
    const child = this.#child;
    this.#child = null;
    if (!child || child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await within(START_TIMEOUT, "the end of the killed server process", gone);
  }

  /** Throws if the process ended by itself. */
  checkAlive() {
    const { exitCode, signalCode } = this.#child ?? {};
    if (exitCode == null && signalCode == null) return;
    throw new Error(`the server process ended with ${signalCode ?? exitCode}\n${this.#stderr}`);
  }
}

/** Splits a command line at blanks; quotes hold words together. */
export function words(commandLine) {
  const found = commandLine.match(/"[^"]*"|'[^']*'|[^\s"']+/g) ?? [];
  return found.map((word) => word.replace(/^(["'])(.*)\1$/s, "$2"));
}

export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
