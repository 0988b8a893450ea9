/**
 * The interface to the operating system that each runtime implements.
 *
 * Types only.
 *
 * @module
 */

/** A thread of statvent, as the thread that started it sees it. */
export interface Thread {
  /** Sends a message. */
  post(message: unknown): void;
  /** Lets the program end while the thread is running. */
  unref(): void;
  /** Ends the thread. */
  terminate(): Promise<void>;
}

/** The properties of a file that statvent uses. */
export interface FileId {
  /** Tells it from other files of the file system. */
  readonly inode: number;
  /** Tells the file system from others. */
  readonly device: number;
  /** Whether it is a named pipe. */
  readonly isFifo: boolean;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
  /** The id of the user who owns it. */
  readonly owner: number;
  /** Its permissions: the low twelve bits of the mode. */
  readonly mode: number;
  /** When it was last written, in milliseconds since 1970. */
  readonly modified: number;
  /** How many hard links it has. */
  readonly links: number;
  /** Its size in bytes. */
  readonly size: number;
}

/** The operating system. */
export interface Runtime {
  /** The id of this process. */
  readonly pid: number;
  /** The runtime with its version, such as `deno 2.9.6`. */
  readonly name: string;
  /** The path or URL of the program's main module, or an empty text. */
  readonly mainScript: string;
  /** An environment variable, or `undefined` if it is not set or not permitted. */
  env(name: string): string | undefined;
  /**
   * Asks Deno's user for the permissions that the recorder needs.
   *
   * @returns What is missing and how to grant it, such as `it must be allowed to
   * read /tmp; run with --allow-read=/tmp`; `undefined` if nothing is.
   */
  missingPermission(dir: string): Promise<string | undefined>;
  /**
   * When a process started, in units of the system, to tell it from a process
   * that had its id at another time; `undefined` if that cannot be found out.
   */
  processStart(pid: number): string | undefined;
  /** Facts about this process. A function throws where its fact is unknown. */
  readonly self: ProcessSource;
  /** What the system says of other processes. */
  readonly processes: ProcessReader;
  /** The id of the user who runs a process; `undefined` if that cannot be found out. */
  processOwner(pid: number): number | undefined;
  /** Whether a process exists, or `undefined` if that cannot be found out. */
  processExists(pid: number): boolean | undefined;

  /** Creates a directory of this mode, with its parents. Does nothing if it exists. */
  makeDir(path: string, mode: number): void;
  /** Whether a path can be looked at without a question to the user, as Deno asks one at a terminal. */
  mayRead(path: string): boolean;
  /** The names in a directory. */
  list(dir: string): string[];
  /** The properties of a file, not following a symbolic link; `undefined` if there is none. */
  identify(path: string): FileId | undefined;
  /** The properties of a file, following symbolic links; `undefined` if there is none. */
  identifyTarget(path: string): FileId | undefined;
  /** The properties of an open file. */
  identifyOpen(fd: number): FileId;
  /** Creates a hard link to a file. */
  link(path: string, newPath: string): void;
  /** Renames a file in one step, replacing a file that has the new name. */
  rename(path: string, newPath: string): void;
  /**
   * Reads a regular file, not following a symbolic link; `undefined` if there is
   * none, or if it is larger than `maxBytes`, by default 16 MiB.
   */
  readFile(path: string, maxBytes?: number): Uint8Array | undefined;
  /**
   * Creates or replaces a file in one step, so that no reader ever sees a part.
   *
   * @param temporary The path of the file until it is complete, in the same
   * directory. It stays if the process is killed meanwhile.
   */
  replaceFile(
    path: string,
    bytes: Uint8Array,
    temporary: string,
    mode?: number,
  ): void;
  /**
   * Writes a file that is not there yet, with exactly this mode, whatever the
   * mask of the process.
   *
   * @param sync Whether to wait until the disk has it.
   * @throws If it is there, or cannot be written. Then a part of it may be there.
   */
  writeNew(
    path: string,
    bytes: Uint8Array,
    mode: number,
    sync: boolean,
  ): void;
  /** Has the disk get files, one after the other, while the program goes on. Never fails. */
  syncAll(paths: readonly string[]): Promise<void>;
  /** Appends bytes to a regular file, which is created if it is not there, without waiting for anything. */
  append(path: string, bytes: Uint8Array, mode: number): void;
  /** Gives a file to another user, which only root may do. */
  chown(path: string, user: number): void;
  /** Removes a file, if it exists. */
  remove(path: string): void;
  /** Creates a file and opens it for writing. Fails if the path is taken. */
  createFile(path: string, mode: number): number;
  /** Writes all bytes at a place of a file. */
  writeAt(fd: number, bytes: Uint8Array, offset: number): void;
  /** The id of the user whose rights this process has now; `undefined` if that cannot be found out. */
  user(): number | undefined;

  /**
   * Creates named pipes.
   *
   * @throws {Error} By the promise, with the code `ENOENT` if the program
   * `mkfifo` is missing, otherwise with the message of `mkfifo`.
   */
  makeFifos(paths: string[], mode: number): Promise<void>;
  /**
   * Waits without using the processor until a reader opens a named pipe.
   *
   * @param mayPark Whether a thread may be parked until then, which
   * {@linkcode Runtime.endWait} must free before the program can end.
   * @returns How to close the pipe again.
   */
  waitForReader(path: string, mayPark: boolean): Promise<() => void>;
  /** Waits like {@linkcode Runtime.waitForReader}, but by polling, without a thread. */
  pollForReader(path: string): Promise<() => void>;
  /** Opens a pipe so that it can be found after it has lost its names. Returns the open file, or 0 if the system has no such way. */
  hold(path: string): number;
  /**
   * Ends the wait for a reader of a pipe, which is found by its hold or its path.
   *
   * @returns Whether that was possible.
   */
  endWait(hold: number, path: string): boolean;
  /** Opens a file for reading, never waiting for a writer. */
  openReader(path: string): number;
  /** Opens a pipe for writing, never waiting for a reader; `undefined` if it has none. */
  openWriter(path: string): number | undefined;
  /** Opens a pipe for reading and writing, so that no process that opens it has to wait. */
  openBoth(path: string): number;
  /** Creates an empty file. Returns `false` if the path is taken. */
  createNew(path: string): boolean;
  /** Reads what a pipe holds. Returns the number of bytes, 0 if there is no writer, or `undefined` if no writer has written. */
  read(fd: number, into: Uint8Array): number | undefined;
  /** Writes at most 4096 bytes, all or none. Returns whether there was room. */
  write(fd: number, bytes: Uint8Array): boolean;
  /** Closes a file. */
  close(fd: number): void;

  /**
   * Joins the channel of a name, on which all threads of this process can talk.
   * Keeps no program alive.
   *
   * @returns How to send a message to the others, and how to receive those that
   * wait without the event loop, which only Node can.
   */
  joinChannel(
    name: string,
    receive: (message: unknown) => void,
  ): { post: (message: unknown) => void; catchUp: () => void };
  /** Whether this is the program's main thread. */
  readonly isMainThread: boolean;
  /** Starts a thread that runs the text of a module. */
  startThread(
    source: string,
    data: unknown,
    receive: (message: unknown) => void,
    fail: (error: Error) => void,
  ): Thread;
  /** In a thread that `startThread` has started: its data, with the way to talk to its parent. */
  joinParent(receive: (message: unknown) => void): {
    data: unknown;
    post: (message: unknown) => void;
  };
  /**
   * Calls back when the program ends in an orderly way.
   *
   * @param survivable Called instead when an uncaught error is about to end the
   * program, which may still handle it and go on.
   * @returns How to stop that.
   */
  onExit(end: () => void, survivable: () => void): () => void;
}

/** Facts about this process. A function that throws has no answer. */
export interface ProcessSource {
  /** The text of a file. */
  readText(path: string): string;
  /** The names in a directory. */
  namesIn(path: string): readonly string[];
  /** Processor time in seconds, for use where `/proc` cannot be read. */
  cpuSeconds?(): number;
  /** Resident memory in bytes, for use where `/proc` cannot be read. */
  residentBytes?(): number;
  /** When the process started, in seconds since 1970, for use where `/proc` cannot be read. */
  startSeconds?(): number;
}

/** How to read the files in which the system describes itself. Nothing throws. */
export interface SystemFiles {
  /** The content of a file; `undefined` if it cannot be read without a question to the user. */
  bytes(path: string): Uint8Array | undefined;
  /** The names in a directory; `undefined` if it cannot be read. */
  names(path: string): readonly string[] | undefined;
  /** Where a symbolic link leads; `undefined` if it cannot be read. */
  link(path: string): string | undefined;
  /** The file that a path leads to; `undefined` if that cannot be found out. */
  file(path: string): FileId | undefined;
}

/** What the system says of a process at one moment. */
export interface ProcessStat {
  /** When it started, in units of the system, which tells it from others of its id. */
  readonly start: string;
  /** When it started, in seconds after the system. */
  readonly startSeconds: number;
  /** The processor time that it has used, in seconds. */
  readonly cpu: number;
  /** Its memory that is not swapped out, in bytes. */
  readonly resident: number;
  /** The size of its address space, in bytes. */
  readonly virtual: number;
  /** The number of its threads. */
  readonly threads: number;
}

/** What a group of processes uses and may use: a cgroup, such as that of a container. */
export interface GroupUsage {
  /** The memory that it uses, in bytes. */
  readonly memory?: number;
  /** The most memory that it may use, in bytes; missing if there is no limit. */
  readonly memoryLimit?: number;
  /** How many processors it may use at the same time; missing if there is no limit. */
  readonly cpuLimit?: number;
}

/** Reads what the system says of other processes. Nothing throws. */
export interface ProcessReader {
  /** Figures of a process; `undefined` if it does not live, or cannot be read. */
  stat(pid: number): ProcessStat | undefined;
  /** How long the system has been running, in seconds. */
  uptime(): number | undefined;
  /** The number of files that a process has open. */
  openFiles(pid: number): number | undefined;
  /** The number of files that a process may open. */
  maxFiles(pid: number): number | undefined;
  /** Whether a process has a file open; `undefined` if that cannot be found out. */
  holds(pid: number, file: FileId): boolean | undefined;
  /** The groups of a process that count its memory and its processor time. */
  groups(pid: number): ProcessGroups | undefined;
  /** What these groups use and may use. */
  figuresOf(groups: ProcessGroups): GroupUsage;
  /** Whether the ids that this process sees are those of the whole machine. */
  seesMachine(): boolean;
  /** The ids by which processes know themselves that others know by another one. */
  nestedIds(): ReadonlySet<number>;
}

/** Where the limits of a process are. */
export interface ProcessGroups {
  /** Directories with the limits of its memory, the closest one first. */
  readonly memory: readonly string[];
  /** Directories with the limits of its processor time, the closest one first. */
  readonly cpu: readonly string[];
}
