/**
 * What a program gets that starts the recorder.
 *
 * Apart from the classes that implement it, so that the npm package declares
 * none of them.
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
