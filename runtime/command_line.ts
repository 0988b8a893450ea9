/**
 * What a command needs of the runtime: arguments, output, an end and a server.
 *
 * Types only.
 *
 * @module
 */

/** Where to listen. */
export interface Address {
  readonly ip: string;
  readonly port: number;
  /** A certificate and its key, in PEM, to serve https. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

/** The command line, as a runtime provides it. */
export interface CommandLine {
  /** The arguments of the program. */
  readonly args: string[];
  /** How the program was started, for the help. */
  readonly command: string;
  /** Prints a line. */
  print(line: string): void;
  /** Prints a line to the standard error. */
  printError(line: string): void;
  /** Reads a file. */
  readText(path: string): string;
  /** Ends the program. */
  exit(code: number): never;
  /**
   * Serves until the user interrupts. Answers the requests of one connection
   * one after another, and drops clients that are slow to send or to read.
   *
   * @param headers The headers of an answer that the server gives on its own,
   * to a request that cannot be handed to `answerer`.
   * @param onListen Called with the port, once it is open. It is not watched
   * before this has resolved.
   * @throws If the server cannot listen on the address.
   */
  listen(
    answerer: Answerer,
    address: Address,
    headers: Readonly<Record<string, string>>,
    onListen: (port: number) => Promise<void>,
  ): Promise<void>;
}

/** The parts of a request that decide its answer. A `Request` has them. */
export interface Asked {
  readonly method: string;
  /** The whole URL, with the host that the client named. */
  readonly url: string;
  readonly headers: Pick<Headers, "get">;
}

/** An answer. Many requests may share it, so nobody changes its body. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body; `null` for none. */
  readonly body: Uint8Array<ArrayBuffer> | null;
}

/** Answers a request without a copy of the body for each client. */
export type Answerer = (request: Asked) => Promise<Answer>;

/** Answers a request. */
export type Handler = (request: Request) => Promise<Response>;
