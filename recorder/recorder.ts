/**
 * What a program gets that starts the recorder.
 *
 * Apart from the classes that implement it: the declarations that TypeScript
 * makes of a class with a method `[Symbol.asyncDispose]`, module by module,
 * have that twice.
 *
 * Pure: declares types only.
 *
 * @module
 */

/** A running recorder. */
export interface Recorder extends AsyncDisposable {
  /** The pipe, such as `/tmp/stats-pipe/1234.stats`. */
  readonly path: string;
  /** Removes the pipe and ends the thread. The stats stay as they are. */
  stop(): Promise<void>;
}
