/**
 * The interface between a program and the runtime, which each runtime
 * implements.
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

/** A program, as the runtime that it runs on sees it. */
export interface Program {
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
   * Serves until the user interrupts.
   *
   * @param headers The headers of an answer that the server gives on its own,
   * to a request that cannot be handed to the handler.
   * @param onListen Called with the port, once it is open.
   * @throws If the server cannot listen on the address.
   */
  listen(
    handler: Handler,
    address: Address,
    headers: Readonly<Record<string, string>>,
    onListen: (port: number) => void,
  ): Promise<void>;
}

/** Answers a request. */
export type Handler = (request: Request) => Promise<Response>;
