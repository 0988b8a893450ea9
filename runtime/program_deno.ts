/**
 * A program on Deno.
 *
 * @module
 */

import { sleep } from "./pause.ts";
import type { Program } from "./program.ts";

/** How long requests may take after the signal to end, in milliseconds. */
const CLOSE_MS = 1_000;

/** How long to wait before listening again after a failure, in milliseconds. */
const LISTEN_AGAIN_MS = 1_000;

/** The program on Deno. */
export const denoProgram: Program = {
  get args() {
    return Deno.args;
  },
  command: "deno run -A jsr:@statvent/statvent/cli",
  print: (line) => console.log(line),
  printError: (line) => console.error(line),
  readText: (path) => Deno.readTextFileSync(path),
  exit: (code) => Deno.exit(code),
  listen: async (handler, { ip, port, tls }, _headers, onListen) => {
    let server: Deno.HttpServer | undefined;
    let isStopped = false;
    const stop = () => {
      isStopped = true;
      // A second signal kills the program at once.
      for (const signal of signals) Deno.removeSignalListener(signal, stop);
      server?.shutdown();
      // Clients that have not sent a whole request by then get no answer.
      Deno.unrefTimer(setTimeout(() => Deno.exit(), CLOSE_MS));
    };
    const signals = ["SIGINT", "SIGTERM"] as const;
    for (const signal of signals) Deno.addSignalListener(signal, stop);
    let open: number | undefined;
    const onOpen = (address: { port: number }) => {
      if (open === undefined) onListen(address.port);
      open = address.port;
    };
    let isReported = false;
    while (!isStopped) {
      try {
        server = Deno.serve(
          { hostname: ip, port: open ?? port, ...tls, onListen: onOpen },
          (request) => {
            isReported = false;
            return handler(request);
          },
        );
        await server.finished;
        return;
      } catch (error) {
        if (open === undefined) throw error;
        // So many connections have reached the limit of open files for now. This
        // is reported once, until a request comes through again.
        const { message } = error as Error;
        if (!isReported) console.error(`statvent: ${message}; listening again`);
        isReported = true;
        await sleep(LISTEN_AGAIN_MS);
      }
    }
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
  main: (program: Program) => void,
): Service | undefined {
  if (startedByRun()) {
    main(denoProgram);
    return undefined;
  }
  let served = false;
  addEventListener("load", () => {
    if (!served) main(denoProgram);
  }, { once: true });
  const onListen = ({ hostname, port }: { hostname: string; port: number }) => {
    served = true;
    console.log(`Serving stats on http://${hostname}:${port}/stats`);
  };
  return { ...service, onListen };
}
