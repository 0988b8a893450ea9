/**
 * What statvent needs of the operating system.
 *
 * Types only.
 *
 * @module
 */

/** A thread of ours, as the thread that started it sees it. */
export interface Thread {
  /** Sends a message. */
  post(message: unknown): void;
  /** Lets the program end although the thread goes on. */
  unref(): void;
  /** Ends the thread. */
  terminate(): Promise<void>;
}

/** What a file is, as far as statvent cares. */
export interface FileId {
  /** Tells files of one file system apart. */
  readonly inode: number;
  /** Whether it is a named pipe. */
  readonly isFifo: boolean;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
  /** The id of the user whose it is. */
  readonly owner: number;
  /** Who may do what with it: the low twelve bits. */
  readonly mode: number;
  /** When it was last written, in milliseconds since 1970. */
  readonly modified: number;
  /** How many names it has. */
  readonly links: number;
  /** How many bytes it has. */
  readonly size: number;
}

/** The operating system, as statvent needs it. */
export interface Runtime {
  /** The id of this process. */
  readonly pid: number;
  /** What runs this program, and its version, such as `deno 2.9.6`. */
  readonly name: string;
  /** The path or URL of the file that the program began with, or an empty text. */
  readonly mainScript: string;
  /** An environment variable, or `undefined` if it is not set or not permitted. */
  env(name: string): string | undefined;
  /** What tells the user how to permit what the recorder needs, if it lacks anything. */
  missingPermission(dir: string): Promise<string | undefined>;
  /**
   * When a process started, in units of the system, for comparison with the
   * same id at another time; `undefined` if that cannot be found out.
   */
  processStart(pid: number): string | undefined;
  /** What can be found out of this process itself. What throws cannot. */
  readonly self: ProcessSource;
  /** The id of the user who runs a process; `undefined` if that cannot be found out. */
  processOwner(pid: number): number | undefined;
  /** Whether a process exists, or `undefined` if that cannot be found out. */
  processExists(pid: number): boolean | undefined;

  /** Creates a directory of this mode and those above it. Does nothing if it is there. */
  makeDir(path: string, mode: number): void;
  /** The names in a directory. */
  list(dir: string): string[];
  /** Looks at a file, not following a symbolic link; `undefined` if there is none. */
  identify(path: string): FileId | undefined;
  /** Looks at a file, following symbolic links; `undefined` if there is none. */
  identifyTarget(path: string): FileId | undefined;
  /** Looks at an open file. */
  identifyOpen(fd: number): FileId;
  /** Gives a file a second name. */
  link(path: string, newPath: string): void;
  /** Renames a file, in one step, over another one if there is one. */
  rename(path: string, newPath: string): void;
  /**
   * Reads a regular file of at most 16 MiB, or so many bytes; `undefined` if
   * there is none. Follows no symbolic link.
   */
  readFile(path: string, maxBytes?: number): Uint8Array | undefined;
  /**
   * Creates a file or replaces it, in one step: no reader ever sees a part.
   *
   * @param temporary What it is called until it is complete, in the same
   * directory. It stays if the process is killed meanwhile.
   */
  replaceFile(
    path: string,
    bytes: Uint8Array,
    temporary: string,
    mode?: number,
  ): void;
  /** Removes a file, if it is there. */
  remove(path: string): void;
  /**
   * Calls back when something happens to a file.
   *
   * @param link A free path in the same directory, for a runtime that must watch
   * the file by a second link, which it removes at once.
   * @returns How to stop that.
   */
  watch(path: string, link: string, callback: () => void): () => void;

  /**
   * Creates named pipes.
   *
   * @throws {Error} By the promise, with the code `ENOENT` if there is no
   * `mkfifo`, else with the message of `mkfifo`.
   */
  makeFifos(paths: string[], mode: number): Promise<void>;
  /**
   * Waits, without using the processor, until a reader opens a named pipe.
   *
   * @param mayPark Whether a thread may be parked until then, which
   * {@linkcode Runtime.endWait} must free before the program can end.
   * @returns How to close the pipe again.
   */
  waitForReader(path: string, mayPark: boolean): Promise<() => void>;
  /** The same, but looks again and again, and needs no thread. */
  pollForReader(path: string): Promise<() => void>;
  /** Keeps hold of a pipe that may lose its names, or returns 0. */
  hold(path: string): number;
  /**
   * Ends the wait for a reader, by a hold or else by the pipe's name.
   *
   * @returns Whether it could.
   */
  endWait(hold: number, path: string): boolean;
  /** Opens a pipe to read from, never waiting. */
  openReader(path: string): number;
  /** Opens a pipe to write to, never waiting; `undefined` if it has no reader. */
  openWriter(path: string): number | undefined;
  /** Opens a pipe as its reader and its writer, so that nobody waits for one. */
  openBoth(path: string): number;
  /** Creates an empty file. Returns whether there was none before. */
  createNew(path: string): boolean;
  /** Reads what is there: 0 bytes if there is no writer, `undefined` if there is one that has not written. */
  read(fd: number, into: Uint8Array): number | undefined;
  /** Writes at most 4096 bytes, all or none. Returns whether there was room. */
  write(fd: number, bytes: Uint8Array): boolean;
  /** Closes a file. */
  close(fd: number): void;

  /**
   * Joins all threads of this process that know the same name. Keeps no
   * program alive.
   *
   * @returns How to send a message to the others.
   */
  joinChannel(
    name: string,
    receive: (message: unknown) => void,
  ): (message: unknown) => void;
  /** Whether this is the program's first thread. */
  readonly isMainThread: boolean;
  /** Starts a thread that runs the text of a module. */
  startThread(
    source: string,
    data: unknown,
    receive: (message: unknown) => void,
    fail: (error: Error) => void,
  ): Thread;
  /** In a thread of ours: what it was started with, and how to talk to its parent. */
  joinParent(receive: (message: unknown) => void): {
    data: unknown;
    post: (message: unknown) => void;
  };
  /**
   * Calls back when the program ends in an orderly way, or is about to because
   * of an error that nobody caught.
   *
   * @param survivable Called in the second case, after which the program may go
   * on all the same.
   * @returns How to stop that.
   */
  onExit(end: () => void, survivable: () => void): () => void;
}

/** What is needed of the runtime. What throws counts as absent. */
export interface ProcessSource {
  /** The text of a file. */
  readText(path: string): string;
  /** The names in a directory. */
  namesIn(path: string): readonly string[];
  /** Seconds on a processor, if the runtime knows and `/proc` may not be read. */
  cpuSeconds?(): number;
  /** Bytes in memory, likewise. */
  residentBytes?(): number;
  /** When the process started, in seconds since 1970, likewise. */
  startSeconds?(): number;
}
