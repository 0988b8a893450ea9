/** The parts of `@std/path` that are used here, from npm. See CONTRIBUTING.md. */
import { dirname as stdDirname } from "deno-std/path/dirname.js";
import { join as stdJoin } from "deno-std/path/join.js";
import { resolve as stdResolve } from "deno-std/path/resolve.js";

/** The folder of a path. */
export const dirname: (path: string) => string = stdDirname;

/** Joins paths, and normalizes the result. */
export const join: (...paths: string[]) => string = stdJoin;

/** Makes a path absolute. */
export const resolve: (...paths: string[]) => string = stdResolve;
