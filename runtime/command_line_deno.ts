/**
 * A program on Deno.
 *
 * @module
 */

import type { CommandLine } from "./command_line.ts";

/** The program on Deno. */
export const denoCommandLine: CommandLine = {
  get args() {
    return Deno.args;
  },
  command: "deno run -A jsr:@statvent/statvent/cli",
  print: (line) => console.log(line),
  printError: (line) => console.error(line),
  readText: (path) => Deno.readTextFileSync(path),
  exit: (code) => Deno.exit(code),
  listen: async (...args) => {
    // Loaded here, since whoever mounts the handler does without it.
    const { listen } = await import("./http_server.ts");
    await listen(...args);
  },
};

/** Whether the program was started by `deno run`, or `undefined` if that cannot be found out. */
function startedByRun(): boolean | undefined {
  const path = "/proc/self/cmdline";
  try {
    const { state } = Deno.permissions.querySync({ name: "read", path });
    if (state !== "granted") return undefined;
    return Deno.readTextFileSync(path).split("\0")[1] === "run";
  } catch {
    return undefined;
  }
}

/**
 * Runs `main`, unless the module was started by `deno serve`, which serves the
 * module's default export itself.
 *
 * @returns The default export; `undefined` under `deno run`, which would warn
 * about one.
 */
export function startAsProgram<Service>(
  service: Service,
  main: (program: CommandLine) => void,
): Service | undefined {
  if (startedByRun()) {
    main(denoCommandLine);
    return undefined;
  }
  let served = false;
  addEventListener("load", () => {
    if (!served) main(denoCommandLine);
  }, { once: true });
  const onListen = ({ hostname, port }: { hostname: string; port: number }) => {
    served = true;
    console.log(`Serving stats on http://${hostname}:${port}/stats`);
  };
  return { ...service, onListen };
}
